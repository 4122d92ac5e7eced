#!/bin/sh
# own-mounts.sh FOLDER PROGRAM: a libssl that only this mount namespace knows, as in a container.
set -eu
library=$(cat "$2.library")
mount -t tmpfs none "$1"
cp "$library" "$1/"
export LD_LIBRARY_PATH="$1"
exec "$2"
