"""
Giving memory back after the compiler is done.

BCC brings LLVM and Clang: some hundred megabytes of code and tables that are never needed again.  Pages of those files that were not
written to can be dropped; the kernel reads them anew should anybody touch them.
"""

from __future__ import annotations

import ctypes
import re

_MADV_DONTNEED = 4  # madvise(2)
_COMPILER = re.compile(r"/lib(?:LLVM|clang|bcc)[^/]*\.so")
_RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$")


def release_compiler() -> int:
    """Drop what the compiler left; returns how many bytes of mappings were given back.  Changes nothing that was written to."""
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)
    released = 0
    try:
        with open("/proc/self/smaps", encoding="utf-8") as smaps:
            mappings = untouched(smaps.read())
    except OSError:
        return 0  # not fatal: the memory stays in use, and metrics say so
    for start, end in mappings:
        if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED) == 0:
            released += end - start
    return released


def untouched(smaps: str) -> list[tuple[int, int]]:
    """Address ranges of the compiler's files that hold no written page: relocated tables must stay."""
    found: list[tuple[int, int]] = []
    candidate: tuple[int, int] | None = None
    for line in smaps.splitlines():
        mapping = _RANGE.match(line)
        if mapping:
            start, end, rights, path = mapping.groups()
            usable = _COMPILER.search(path) is not None and "w" not in rights
            candidate = (int(start, 16), int(end, 16)) if usable else None
        elif candidate and line.startswith("Private_Dirty:"):
            if line.split()[1] == "0":
                found.append(candidate)
            candidate = None
    return found
