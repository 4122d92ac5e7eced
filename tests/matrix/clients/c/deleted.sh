#!/bin/sh
# deleted.sh FOLDER PROGRAM: its libssl is gone from the disk as soon as it is loaded, as after an upgrade.
set -eu
library=$(cat "$2.library")
cp "$library" "$1/"
export LD_LIBRARY_PATH="$1"
exec "$2" "$1/${library##*/}"
