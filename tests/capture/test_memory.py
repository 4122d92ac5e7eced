"""Giving the compiler's memory back: only its files, only pages that were never written to."""

from __future__ import annotations

from agent.capture.memory import untouched


def mapping(span: str, rights: str, path: str, dirty_kib: int) -> str:
    return f"{span} {rights} 00000000 fe:00 1234   {path}\nSize: 8 kB\nRss: 8 kB\nPrivate_Clean: 8 kB\nPrivate_Dirty: {dirty_kib} kB\n"


LLVM = "/usr/lib/llvm-14/lib/libLLVM-14.so.1"


def test_untouched_code_and_tables_are_given_back() -> None:
    """Code, and constants that were never relocated."""
    smaps = mapping("1000-3000", "r-xp", LLVM, 0) + mapping("5000-6000", "r--p", "/usr/lib/libclang-cpp.so.14", 0)
    assert untouched(smaps) == [(0x1000, 0x3000), (0x5000, 0x6000)]


def test_what_was_written_to_stays() -> None:
    """Relocated tables are read-only by now and would be lost; data is data."""
    smaps = mapping("1000-3000", "r--p", LLVM, 8) + mapping("5000-6000", "rw-p", LLVM, 0)
    assert untouched(smaps) == []


def test_other_libraries_stay() -> None:
    """Python's own code is needed all the time."""
    assert (
        untouched(
            mapping("1000-3000", "r-xp", "/usr/lib/x86_64-linux-gnu/libc.so.6", 0) + mapping("5000-6000", "r-xp", "", 0)
        )
        == []
    )
