"""Go programs: what is probed in each, whoever compiled it and however; what can't be read is told; hostile ones cost little."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.capture.elf import ElfError, ElfFile
from agent.capture.gopclntab import header_tail
from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities
from agent.capture.stacks.go import Go
from tests import golang

ABILITIES = Abilities(uretprobe_safe=False)
"""Go needs no return probe."""

BUILDS: dict[str, Callable[[], Path]] = {
    "this Go": lambda: golang.build("talk"),
    "stripped": lambda: golang.build("talk", golang.STRIPPED),
    "older": lambda: golang.build("talk", golang.STRIPPED, golang.PIE, toolchain=golang.OLDER),
    "arm64": lambda: golang.build("talk", golang.STRIPPED, environment={"GOARCH": "arm64", "CGO_ENABLED": "0"}),
}


def planned(path: Path, abilities: Abilities = ABILITIES) -> Plan:
    with path.open("rb") as file:
        return Go.plan(ElfFile(file), abilities)


def altered(path: Path, folder: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    (folder / "altered").write_bytes(data)
    return folder / "altered"


def test_programs_for_debuggers_are_read_behind_the_inner_read() -> None:
    """Nothing is inlined there, so the copy is in another function; its result is the number of bytes."""
    chosen = planned(golang.build("talk", golang.UNOPTIMISED))
    assert roles(chosen) == {Role.GO_WRITE: 2, Role.GO_READ_RESULT: 1, Role.GO_END: 1}
    assert all(site.emulated for site in chosen.sites)


def roles(plan: Plan) -> dict[Role, int]:
    return dict(Counter(site.role for site in plan.sites))


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS.keys())
def test_every_build_is_read_at_emulated_instructions(build: Callable[[], Path]) -> None:
    """TLS 1.0 splits a write in two, so Write sends at two places; Close and the handshake end what was.  No return probes, ever: they move Go's stacks."""
    chosen = planned(build())
    assert roles(chosen) == {Role.GO_WRITE: 2, Role.GO_READ: 1, Role.GO_END: 2}
    assert all(site.emulated and site.probe == "uprobe" for site in chosen.sites)
    assert not chosen.missing
    assert not chosen.unreadable


def test_stripping_changes_nothing() -> None:
    """The same program with and without symbols has the same sites, in the same functions."""
    kinds = [
        [(site.function, site.role, site.stack_offset) for site in planned(BUILDS[name]()).sites] for name in BUILDS
    ]
    assert kinds[0] == kinds[1]


def test_without_sections_the_build_information_is_found_at_the_start_of_the_data(tmp_path: Path) -> None:
    """As after `sstrip`: the kernel needs no sections to run a program."""

    def forget_sections(data: bytearray) -> None:
        data[0x28:0x30] = bytes(8)  # e_shoff
        data[0x3C:0x40] = bytes(4)  # e_shnum, e_shstrndx

    program = golang.build("talk", golang.STRIPPED)
    assert planned(altered(program, tmp_path, forget_sections)).sites == planned(program).sites


def test_old_calls_are_told(tmp_path: Path) -> None:
    """Before Go 1.17 arguments were on the stack: the goroutine is not in r14, and such a program is not guessed at."""

    def other_convention(data: bytearray) -> None:
        data[:] = data.replace(b"\x49\x3b\x66\x10", b"\x49\x3b\x67\x10").replace(
            b"\x4d\x3b\x66\x10", b"\x4d\x3b\x67\x10"
        )

    def before_1_16(data: bytearray) -> None:
        at = data.index(header_tail(1)) - 1
        data[at : at + 4] = struct.pack("<I", 0xFFFFFFFB)

    for change, detail in ((other_convention, "is not that of Go 1.17"), (before_1_16, "of a Go before 1.16")):
        chosen = planned(altered(golang.build("talk"), tmp_path, change))
        assert chosen.sites == ()
        [told] = chosen.unreadable
        assert detail in told.detail
        assert told.remedy


def test_code_in_an_unknown_shape_is_told_and_not_half_read(tmp_path: Path) -> None:
    """Another record type before the call: then this is no Write that we know, and Read alone would look like a connection."""

    def other_type(data: bytearray) -> None:
        data[:] = data.replace(b"\xbb\x17\0\0\0", b"\xbb\x18\0\0\0")

    chosen = planned(altered(golang.build("talk"), tmp_path, other_type))
    assert chosen.sites == ()
    assert chosen.missing == ("crypto/tls.(*Conn).Write: compiled in a way that is not known",)


def test_kernels_without_cookies_are_told() -> None:
    """Before 5.15 a program can't know where the connection stands."""
    chosen = planned(golang.build("talk"), Abilities(uretprobe_safe=True, cookies=False))
    assert chosen.sites == ()
    assert "5.15" in chosen.missing[0]


def test_what_is_not_go_or_has_no_tls_has_no_sites() -> None:
    """And says nothing."""
    assert planned(golang.build("plain", golang.STRIPPED)) == Plan(sites=())
    assert planned(Path("/bin/sh")) == Plan(sites=())


def test_quic_is_told_beside_what_is_read() -> None:
    """A program with quic-go may speak HTTP/3, which nobody reads here; its other connections are read."""
    chosen = planned(golang.build("quic"))
    assert chosen.sites
    assert any("HTTP/3" in one for one in chosen.missing)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_program_is_an_error_or_a_plan(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed in the headers, in the table of functions, in the code; in bounded time."""
    program = golang.build("talk", golang.STRIPPED)
    size = program.stat().st_size

    def damage(content: bytearray) -> None:
        table = content.index(header_tail(1)) - 1
        for start, length in ((0, 1000), (table, 80), (table, 200_000), (0, size)):
            for at, value in data.draw(
                st.lists(st.tuples(st.integers(0, length - 1), st.integers(0, 255)), max_size=3)
            ):
                content[(start + at) % size] = value

    path = altered(program, tmp_path, damage)
    began = time.process_time()
    try:
        planned(path)
    except ElfError as error:
        assert "\n" not in str(error)
    assert time.process_time() - began < 10


def test_a_truncated_program_is_an_error_or_a_plan(tmp_path: Path) -> None:
    """Cut at every 32nd."""
    content = golang.build("talk", golang.STRIPPED).read_bytes()
    for part in range(32):
        (tmp_path / "cut").write_bytes(content[: len(content) * part // 32])
        try:
            planned(tmp_path / "cut")
        except ElfError:
            pass
