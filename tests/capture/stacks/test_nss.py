"""NSS: its functions are found by the shape of their table, once or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan
from agent.capture.sites import Abilities
from agent.capture.stacks.nss import Nss, secure_operations
from tests.capture.builds import Build, load

DEBIAN = "nss/debian-12-3.87.1"
BOTH = (DEBIAN, ARM64 := "nss/debian-12-arm64-3.87.1")
SAFE = Abilities(uretprobe_safe=True)


def plan(build: Build, abilities: Abilities = SAFE) -> Plan:
    return Nss.plan(build, abilities)  # type: ignore[arg-type]


def test_sites_of_a_real_build() -> None:
    """Read off the disassembly by hand: both functions begin with `push`; ssl_SecureRecv and ssl_SecureSend by their strings and callers."""
    chosen = plan(load(DEBIAN))
    assert [
        f"{site.function} {site.role.name} {site.probe} {site.file_offset:#x} {site.instruction.split()[0]}"
        for site in chosen.sites
    ] == [
        "ssl_SecureRecv PEEKABLE_READ_ENTRY uprobe 0x2f3a0 push",
        "ssl_SecureRecv READ_RETURN uretprobe 0x2f3a0 push",
        "ssl_SecureSend WRITE_ENTRY uprobe 0x2f6e0 push",
        "ssl_SecureSend WRITE_RETURN uretprobe 0x2f6e0 push",
        "ssl_SecureClose CLOSE uprobe 0x2f2b7 jne",
    ]
    assert all(site.emulated for site in chosen.sites)
    assert chosen.missing == ()


def test_sites_of_a_real_build_for_arm64() -> None:
    """Read off the disassembly by hand: `read` is `mov w3, #0; b` to the receive; there every function is probed at its first instruction."""
    chosen = plan(load(ARM64))
    assert [f"{site.function} {site.role.name} {site.probe} {site.file_offset:#x}" for site in chosen.sites] == [
        "ssl_SecureRecv PEEKABLE_READ_ENTRY uprobe 0x2d920",
        "ssl_SecureRecv READ_RETURN uretprobe 0x2d920",
        "ssl_SecureSend WRITE_ENTRY uprobe 0x2dc00",
        "ssl_SecureSend WRITE_RETURN uretprobe 0x2dc00",
        "ssl_SecureClose CLOSE uprobe 0x2d830",
    ]
    assert chosen.missing == ()


@pytest.mark.parametrize("name", BOTH)
def test_two_tables_that_match_are_none(name: str) -> None:
    """Which is the right one nobody knows, so nothing is read and the reason is told."""
    build = load(name)
    pointers = dict(build.pointers())
    pointers |= {address + (1 << 20): value for address, value in pointers.items()}
    twice = Build(build.all, pointers)
    twice.machine = build.machine
    assert len(secure_operations(twice)) == 2  # type: ignore[arg-type]
    assert plan(twice) == Plan(sites=(), missing=("NSS: 2 tables look like the operations of TLS, not 1",))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("code", [b"", b"\xc3" * 16, b"\xc0\x03\x5f\xd6" * 4, b"\x00\x00\x00\x14" * 4])
def test_a_table_whose_functions_do_something_else_is_none(name: str, code: bytes) -> None:
    """If read does not jump into receive, it is another library, or another version's; the codes: x86-64's return, arm64's, its jump to itself."""
    build = load(name)
    other = Build((dataclasses.replace(one, code=code) for one in build.all), build.pointers())
    other.machine = build.machine
    assert plan(other) == Plan(sites=(), missing=("NSS: 0 tables look like the operations of TLS, not 1",))


def test_a_file_of_nothing_but_such_tables_is_refused() -> None:
    """They are compared with each other, so their number is bounded."""
    build = load(DEBIAN)
    many = {8 * index: 0 if index % 13 == 1 else 0x2F3A0 + index for index in range(100_000)}
    many = {address: value for address, value in many.items() if value}
    assert plan(Build(build.all, many)).sites == ()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 58), st.integers(0, 38), st.integers(-128, 127)), max_size=12),
    st.lists(st.tuples(st.integers(0, 38), st.integers(0, 79), st.integers(0, 255)), max_size=12),
)
def test_a_damaged_table_has_all_its_functions_or_is_none(
    pointed: list[tuple[int, int, int]], coded: list[tuple[int, int, int]]
) -> None:
    """Pointers that lead elsewhere, into the middle of functions too, and other instructions: what is found is whole."""
    build = load(DEBIAN)
    pointers, functions = dict(build.pointers()), list(build.all)
    places = sorted(pointers)
    for place, function, into in pointed:
        pointers[places[place]] = functions[function].address + into
    for function, at, value in coded:
        code = bytearray(functions[function].code)
        code[at % len(code)] = value
        functions[function] = dataclasses.replace(functions[function], code=bytes(code))
    for found in secure_operations(Build(functions, pointers)):  # type: ignore[arg-type]
        assert found.keys() == {"ssl_SecureRecv", "ssl_SecureSend", "ssl_SecureClose"}


def test_without_return_probes_nothing_is_half_read() -> None:
    """And the reason is told for each direction."""
    chosen = plan(load(DEBIAN), Abilities(uretprobe_safe=False))
    assert chosen.sites == ()
    assert {reason.partition(":")[0] for reason in chosen.missing} == {"ssl_SecureRecv", "ssl_SecureSend"}


def test_other_machines_are_told() -> None:
    """The walks know x86-64 and arm64."""
    build = load(DEBIAN)
    build.machine = "RISC-V"
    assert plan(build).sites == ()
    assert plan(build).missing


def test_a_file_without_nss_has_no_sites() -> None:
    """And says nothing."""
    assert plan(Build([])) == Plan(sites=())


def test_the_file_of_this_machine() -> None:
    """Whatever version is installed: one table, or the reason why not."""
    for path in Path("/usr/lib").glob("*/libssl3.so"):
        with path.open("rb") as file:
            assert len(secure_operations(ElfFile(file))) == 1
        return
    pytest.skip("needs libssl3.so (scripts/test installs it)")
