"""
Go's crypto/tls: net/http, gRPC and whatever else a Go program speaks TLS with; no library, but code in each program.

Found in the table of functions that Go's runtime needs (agent/capture/gopclntab.py), so stripped and position-independent programs are read too.
What is probed is in agent/capture/go_code.py, and why there: docs/decisions/0008-go-in-the-middle-of-its-calls.md.  ``Read`` and ``Write`` can't be
inlined into their callers: they defer their unlocking.  A handshake makes the pointer a new connection, also where the one before was never closed.

Not read: Go before 1.17 (arm64: 1.18), whose calls pass their arguments on the stack; programs built with -race, or whose names are
scrambled (garble); QUIC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from agent.capture.elf import ElfFile, Function, Segment
from agent.capture.go_code import MACHINES, reads, results, stack_check, writes
from agent.capture.gopclntab import MAX_TABLE_BYTES, FunctionTable, Span, UnknownTableError, header_tail
from agent.capture.plan import Plan, Probe, Role, Site, Unreadable
from agent.capture.sites import Abilities

READ, WRITE = "crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"
_RECORD, _MEMMOVE = "crypto/tls.(*Conn).writeRecordLocked", "runtime.memmove"
_READER = "bytes.(*Reader).Read"
_CLOSE = "crypto/tls.(*Conn).Close"
_HANDSHAKES = ("crypto/tls.(*Conn).clientHandshake", "crypto/tls.(*Conn).serverHandshake")
_QUIC = "github.com/quic-go/quic-go"
_NAMES = (READ, WRITE, _RECORD, _MEMMOVE, _READER, _CLOSE, *_HANDSHAKES)

_BUILD_INFO = b"\xff Go buildinf:"  # cmd/link's buildinfo, at the start of the data where no section names it
_BUILD_INFO_WITHIN_BYTES = 64 * 1024
# Where no table of functions is found after so much, a program is not one that we know.
_MAX_SCANNED_BYTES = 2 * MAX_TABLE_BYTES
_WINDOW_BYTES = 1024**2
_MAX_HEADERS = 64
# C's start-up code comes before Go's where C's linker made the program: some kilobytes.
_MAX_BEFORE_CODE_BYTES = 1024**2
_CODE_ALIGNMENT = 16

# A function that begins by comparing its stack pointer with the goroutine's bound: in Go 1.17 and later the goroutine is in r14 (arm64: x28).
_BEGINNINGS = {
    "x64": re.compile(rb"(?s)(?:\x4c\x8d(?:\x64\x24.|\xa4\x24....)\x4d|\x49)\x3b\x66\x10"),
    "AArch64": re.compile(rb"\x90\x0b\x40\xf9"),
}
_REBUILD = "build it with a current Go"


class Go:
    """``Stack``."""

    name = "go"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        if elf.machine not in MACHINES or not _is_go(elf):
            return Plan(sites=())
        try:
            table, spans = _functions(elf)
        except UnknownTableError as error:
            if not _mentions(elf, WRITE.encode() + b"\0"):
                return Plan(sites=())
            return _unreadable(f"its table of functions is {error}")
        if not {READ, WRITE} <= spans.keys():
            return Plan(sites=())
        start = _code_start(elf, table, spans)
        if start is None:
            return _unreadable("its code is not that of Go 1.17 or later (arm64: 1.18)")
        if not abilities.cookies:  # the place of the connection comes with it
            return Plan(sites=(), missing=("crypto/tls: needs a kernel from 5.15 on",))
        code = {name: function for name, span in spans.items() if (function := _code(elf, start, span, name))}
        plan = _sites(code, elf.machine)
        if plan.sites and table.has_package(_QUIC):
            plan = replace(plan, missing=(*plan.missing, "quic-go is built in: what it sends as HTTP/3 is not read"))
        return plan


def _sites(code: Mapping[str, Function], machine: str) -> Plan:
    written = writes(code[WRITE], code[_RECORD].address, machine) if _RECORD in code else []
    filled = reads(code[READ], code[_MEMMOVE].address, machine) if _MEMMOVE in code else []
    role, instruction = Role.GO_READ, "call memmove"
    if not filled and _READER in code:
        filled = results(code[READ], code[_READER].address, machine)
        role, instruction = Role.GO_READ_RESULT, "jump behind Reader.Read"
    missing = [
        f"{name}: compiled in a way that is not known"
        for name, found in ((WRITE, written), (READ, filled))
        if not found
    ]
    if missing:  # half of a connection would make it look readable
        return Plan(sites=(), missing=tuple(missing))
    sites = [_site(code[WRITE], address, Role.GO_WRITE, "call writeRecordLocked") for address in written]
    sites += [_site(code[READ], one.address, role, instruction, one.connection_offset) for one in filled]
    for name in (_CLOSE, *_HANDSHAKES):
        if name in code and (check := stack_check(code[name], machine)) is not None:
            sites.append(_site(code[name], check, Role.GO_END, MACHINES[machine].stack_check))
        elif name == _CLOSE:
            missing.append(f"{name}: ends of connections are not seen")
    return Plan(sites=tuple(sites), missing=tuple(missing))


def _site(function: Function, address: int, role: Role, instruction: str, stack_offset: int = 0) -> Site:
    return Site(
        function=function.name,
        role=role,
        probe=Probe.UPROBE,
        file_offset=address - function.address + function.file_offset,
        emulated=True,
        stack_offset=stack_offset,
        instruction=instruction,
    )


def _unreadable(detail: str) -> Plan:
    return Plan(sites=(), unreadable=(Unreadable(stack="go", detail=detail, remedy=_REBUILD),))


def _is_go(elf: ElfFile) -> bool:
    return elf.has_section(".go.buildinfo") or any(
        _BUILD_INFO in elf.read(segment.file_offset, min(segment.size, _BUILD_INFO_WITHIN_BYTES))
        for segment in _loaded(elf)
        if segment.writable
    )


def _loaded(elf: ElfFile) -> list[Segment]:
    """Data before code: the table is in code only where a linker put both into one."""
    return sorted((one for one in elf.segments if one.kind == "PT_LOAD"), key=lambda one: one.executable)


def _functions(elf: ElfFile) -> tuple[FunctionTable, Mapping[str, Span]]:
    """The table and our functions in it; no functions where the program does without TLS."""
    problem = UnknownTableError("not found")
    tail = header_tail(1 if elf.machine == "x64" else 4)
    headers = 0
    for segment, at in _places(elf, tail):
        offset = at - 1
        if (segment.address + offset) % 8:
            continue
        headers += 1
        if headers > _MAX_HEADERS:
            break
        try:
            table = FunctionTable(
                lambda where, size, base=segment.file_offset + offset: elf.read(base + where, size),  # type: ignore[misc]
                segment.size - offset,
            )
            return table, table.find(_NAMES)
        except UnknownTableError as error:
            problem = error
    raise problem


def _places(elf: ElfFile, needle: bytes) -> Iterator[tuple[Segment, int]]:
    """Where ``needle`` stands in what is loaded, from the start of its segment."""
    scanned = 0
    for segment in _loaded(elf):
        start = 0
        while start < segment.size and scanned < _MAX_SCANNED_BYTES:
            window = elf.read(segment.file_offset + start, min(_WINDOW_BYTES, segment.size - start))
            scanned += len(window)
            at = window.find(needle)
            while at >= 0:
                yield segment, start + at
                at = window.find(needle, at + 1)
            if len(window) < _WINDOW_BYTES:
                break
            start += len(window) - len(needle) + 1


def _mentions(elf: ElfFile, name: bytes) -> bool:
    return next(_places(elf, name), None) is not None


def _code(elf: ElfFile, start: int, span: Span, name: str) -> Function | None:
    return elf.function_at(start + span.start, name=name, size=span.end - span.start)


def _code_start(elf: ElfFile, table: FunctionTable, spans: Mapping[str, Span]) -> int | None:
    """The address from which the table counts: the one at which our functions begin and end as Go's do.  None where none is."""
    checked = [spans[name] for name in (READ, WRITE, _CLOSE) if name in spans]
    starts: Iterable[int] = (table.code_start,)
    if table.relative:
        starts = (start for group in (starts, _likely_starts(elf, spans[READ], spans[WRITE])) for start in group)
    for start in starts:
        functions = [_code(elf, start, span, "") for span in checked]
        if all(function and stack_check(function, elf.machine) is not None for function in functions):
            return start
    return None


def _likely_starts(elf: ElfFile, read: Span, write: Span) -> Iterator[int]:
    """Near the start of the code: addresses that make both functions begin as Go's do."""
    beginning = _BEGINNINGS[elf.machine]
    for segment in elf.code:
        size = min(_MAX_BEFORE_CODE_BYTES, segment.size)
        around_read = elf.read(segment.file_offset + read.start, size)
        around_write = elf.read(segment.file_offset + write.start, size)
        for match in beginning.finditer(around_read):
            start = segment.address + match.start()
            if start % _CODE_ALIGNMENT == 0 and beginning.match(around_write, match.start()):
                yield start
