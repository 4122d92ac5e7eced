"""Programs with a TLS library that is one only to a search: native/tiny_ssl.c, built in ways that compilers differ in."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "native" / "tiny_ssl.c"
NO_TABLE = ("-fno-asynchronous-unwind-tables", "-Wl,--no-eh-frame-hdr")
WAYS = {
    "O2": ("-O2",),
    "O1": ("-O1",),
    "O3-frames": ("-O3", "-fno-omit-frame-pointer"),
    "protected": ("-O2", "-fstack-protector-strong", "-fcf-protection"),
    "fixed": ("-O2", "-no-pie", "-fno-pic"),
    "fixed-no-table": ("-O2", "-no-pie", "-fno-pic", *NO_TABLE),
    "no-table": ("-O2", *NO_TABLE),
}


def build(folder: Path, *options: str, strip: bool = True) -> tuple[Path, Path]:
    """With its symbols, and without."""
    whole = folder / f"tiny{abs(hash(options)) % 10**8}"
    subprocess.run(["cc", "-w", *options, SOURCE, "-o", whole], check=True)
    if not strip:
        return whole, whole
    bare = whole.with_suffix(".bare")
    subprocess.run(["strip", whole, "-o", bare], check=True)
    return whole, bare
