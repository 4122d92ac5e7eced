"""
Symbols that were taken out of a file into one of their own, as distributions do: ``/usr/lib/debug/.build-id/ab/cdef….debug``.

https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html.  Looked for where the process would find it, in its own
root; only what carries the same build id counts, whatever stands at the path.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator

from agent.capture.elf import ElfError, ElfFile
from agent.capture.processes import Mapped, regular

_FOLDER = "/usr/lib/debug"


@contextlib.contextmanager
def with_symbols(mapped: Mapped, elf: ElfFile) -> Iterator[ElfFile]:
    """``elf``, which knows the functions of its debug file too, as long as this lasts."""
    identity = "" if elf.has_symbols else elf.build_id()
    with contextlib.ExitStack() as stack:
        for path in _places(identity, elf, mapped.path) if identity else ():
            try:
                debug = ElfFile(stack.enter_context(regular(mapped.root + path)))
                if debug.build_id() == identity and debug.has_symbols:
                    elf.separate = debug
                    break
            except (OSError, ElfError):
                continue
        yield elf


def _places(identity: str, elf: ElfFile, path: str) -> Iterator[str]:
    yield f"{_FOLDER}/.build-id/{identity[:2]}/{identity[2:]}.debug"
    link = elf.debug_link()
    if link:
        folder = posixpath.dirname(path)
        yield from (f"{folder}/{link}", f"{folder}/.debug/{link}", f"{_FOLDER}{folder}/{link}")
