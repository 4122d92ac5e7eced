"""The site chooser on functions of real builds, and on code that it must not trust."""

from __future__ import annotations

import pytest

from agent.capture.elf import Function
from agent.capture.plan import Count, Plan, Probe, Role, Site
from agent.capture.sites import Abilities
from agent.capture.stacks.openssl import OpenSsl
from agent.capture.x86 import is_emulated, walk
from tests.capture.builds import BUILDS, Build, load

# function role probe offset count pointer_argument: read off each build's disassembly by hand.
EXPECTED = {
    "debian-12-libssl-3.0": [
        "SSL_read (inner) READ_ENTRY uprobe 0x352d0 POINTER 4",
        "SSL_read (inner) READ_RETURN uretprobe 0x352d0 POINTER 4",
        "SSL_write (inner) WRITE_ENTRY uprobe 0x355e0 POINTER 4",
        "SSL_write (inner) WRITE_RETURN uretprobe 0x355e0 POINTER 4",
        "SSL_free CLOSE uprobe 0x3b393 RESULT 4",
        "SSL_shutdown CLOSE uprobe 0x35a70 RESULT 4",
    ],
    "wheel-openssl-1.1.1g": [
        "SSL_read (inner) READ_ENTRY uprobe 0x382a0 POINTER 4",
        "SSL_read (inner) READ_RETURN uretprobe 0x382a0 POINTER 4",
        "SSL_write (inner) WRITE_ENTRY uprobe 0x386c0 POINTER 4",
        "SSL_write (inner) WRITE_RETURN uretprobe 0x386c0 POINTER 4",
        "SSL_free CLOSE uprobe 0x3be10 RESULT 4",
        "SSL_shutdown CLOSE uprobe 0x389a0 RESULT 4",
    ],
    "wheel-openssl-1.1.1k-endbr64": [
        "SSL_read (inner) READ_ENTRY uprobe 0x397c4 POINTER 4",  # behind the endbr64, which is single-stepped
        "SSL_read (inner) READ_RETURN uretprobe 0x397c4 POINTER 4",
        "SSL_write (inner) WRITE_ENTRY uprobe 0x39a54 POINTER 4",
        "SSL_write (inner) WRITE_RETURN uretprobe 0x39a54 POINTER 4",
        "SSL_free CLOSE uprobe 0x3d307 RESULT 4",
        "SSL_shutdown CLOSE uprobe 0x39c74 RESULT 4",
    ],
    "wheel-openssl-3.5": [
        "SSL_read (inner) READ_ENTRY uprobe 0x3b1a0 POINTER 4",
        "SSL_read (inner) READ_RETURN uretprobe 0x3b1a0 POINTER 4",
        "SSL_write (inner) WRITE_ENTRY uprobe 0x3b6d0 POINTER 5",  # flags come before the pointer
        "SSL_write (inner) WRITE_RETURN uretprobe 0x3b6d0 POINTER 4",
        "SSL_free CLOSE uprobe 0x43553 RESULT 4",
        "SSL_shutdown CLOSE uprobe 0x3bad3 RESULT 4",
    ],
}


def said(chosen: Plan) -> list[str]:
    return [
        f"{site.function} {site.role.name} {site.probe} {site.file_offset:#x} {site.count.name} {site.pointer_argument}"
        for site in chosen.sites
    ]


@pytest.mark.parametrize("name", EXPECTED)
def test_real_builds(name: str) -> None:
    """One pair of probes on the inner function serves all exported forms, on an instruction that the kernel emulates."""
    chosen = OpenSsl.plan(load(name), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert said(chosen) == EXPECTED[name]
    assert all(site.emulated for site in chosen.sites)
    assert chosen.missing == ()


def test_functions_that_begin_cheaply_are_probed_where_they_begin() -> None:
    """Node's: `push %rbp`, entry and return on one instruction, each form by itself."""
    chosen = OpenSsl.plan(load("node-20-static-openssl-3.0"), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert all(site.emulated for site in chosen.sites)
    assert {site.function for site in chosen.sites} == {
        "SSL_read",
        "SSL_read_ex",
        "SSL_write",
        "SSL_write_ex",
        "SSL_free",
        "SSL_shutdown",
    }
    assert {(site.role.name, site.count.name) for site in chosen.sites if site.function == "SSL_write_ex"} == {
        ("WRITE_ENTRY", "POINTER"),
        ("WRITE_RETURN", "POINTER"),
    }


@pytest.mark.parametrize("name", BUILDS)
def test_without_return_probes_every_function_is_read_or_named(name: str) -> None:
    """On a kernel where they kill confined processes none is used, and nothing is silently left out."""
    build = load(name)
    chosen = OpenSsl.plan(build, Abilities(uretprobe_safe=False))  # type: ignore[arg-type]
    assert all(site.probe is Probe.UPROBE for site in chosen.sites)
    for function in ("SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex"):
        entries = [
            site
            for site in chosen.sites
            if site.function == function and site.role in (Role.READ_ENTRY, Role.WRITE_ENTRY)
        ]
        returns = [
            site
            for site in chosen.sites
            if site.function == function and site.role in (Role.READ_RETURN, Role.WRITE_RETURN)
        ]
        named = any(reason.startswith(f"{function}:") for reason in chosen.missing)
        by_jump = function == "SSL_write_ex" and any(site.function == "SSL_write_ex2" for site in chosen.sites)
        assert (entries and returns) or named or by_jump, function


def test_behind_the_inner_call_the_count_is_on_the_stack() -> None:
    """Debian's SSL_read: `call; test %eax,%eax; jle`, with the count at the stack pointer."""
    chosen = OpenSsl.plan(load("debian-12-libssl-3.0"), Abilities(uretprobe_safe=False))  # type: ignore[arg-type]
    site = next(site for site in chosen.sites if site.function == "SSL_read" and site.role is Role.READ_RETURN)
    assert (site.file_offset, site.count, site.stack_offset, site.emulated) == (0x35495, Count.STACK, 0, True)


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("safe", [True, False])
def test_every_site_is_an_instruction_of_its_function(name: str, safe: bool) -> None:
    """Never between two instructions, and `emulated` says what the kernel does there."""
    build = load(name)
    codes = {one.file_offset: one for one in build.all}
    for site in OpenSsl.plan(build, Abilities(uretprobe_safe=safe)).sites:  # type: ignore[arg-type]
        function = codes[max(offset for offset in codes if offset <= site.file_offset)]
        import capstone

        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        starts = {i.address: bytes(i.bytes) for i in engine.disasm(function.code, function.file_offset)}
        assert site.file_offset in starts, site
        if site.emulated:
            assert is_emulated(starts[site.file_offset])


@pytest.mark.parametrize("name", BUILDS)
def test_without_cookies_nothing_needs_one(name: str) -> None:
    """Kernels before 5.15: a program can't be told where its site keeps the count."""
    for site in OpenSsl.plan(load(name), Abilities(uretprobe_safe=True, cookies=False)).sites:  # type: ignore[arg-type]
        assert site.count is not Count.STACK
        assert site.pointer_argument == 4


@pytest.mark.parametrize("name", BUILDS)
def test_first_instructions_are_the_yardstick(name: str) -> None:
    """Entry and return probe at each function's first instruction."""
    build = load(name)
    for site in OpenSsl.plan(build, Abilities(uretprobe_safe=True, first_instructions=True)).sites:  # type: ignore[arg-type]
        assert site.file_offset == build.functions([site.function])[site.function].file_offset


# ------------------------------------------------------------------------------------------- code that it must not trust


def chosen_for(code: str, name: str = "SSL_read") -> tuple[Site, ...]:
    function = Function(name=name, address=0x1000, file_offset=0x1000, code=bytes.fromhex(code))
    return OpenSsl.plan(Build([function]), Abilities(uretprobe_safe=True)).sites  # type: ignore[arg-type]


def offsets(code: str, name: str = "SSL_read") -> list[tuple[int, bool]]:
    return [(site.file_offset - 0x1000, site.emulated) for site in chosen_for(code, name)]


def test_an_argument_that_was_overwritten_is_not_read() -> None:
    """`mov %rdx,%rsi; push %rbp`: the buffer is gone at the push, so the first instruction it is."""
    assert offsets("4889d6" + "55" + "c3")[0] == (0, False)


def test_a_write_has_its_length_where_it_is_probed() -> None:
    """`xor %edx,%edx; push %rbp`: a read may be probed at the push, a write is noted with its length, which is gone there."""
    code = "31d2" + "55" + "c3"
    assert offsets(code, "SSL_read")[0] == (2, True)
    assert offsets(code, "SSL_write")[0] == (0, False)


def test_a_return_probe_needs_the_entrys_stack() -> None:
    """`sub $8,%rsp; push %rbp`: at the push the return address is elsewhere."""
    entry, leave = offsets("4883ec08" + "55" + "c3")
    assert entry == (4, True)
    assert leave == (0, False)


def test_nothing_behind_a_branch_is_taken() -> None:
    """`test; je; push`: only some calls come to the push; every call passes the je."""
    assert offsets("4885ff" + "7404" + "55" + "c3")[0] == (3, True)


def test_an_inner_call_that_gets_other_arguments_is_not_the_inner_function() -> None:
    """`mov %rsp,%rcx; xor %esi,%esi; call; test; jle`: what it returns is not our count."""
    sites = chosen_for("4883ec18" + "4889e1" + "31f6" + "e800000000" + "85c0" + "7e00" + "4883c418" + "c3")
    assert all(site.count is Count.RESULT for site in sites)


def test_garbage_falls_back_to_the_first_instruction() -> None:
    """Code that can't be disassembled is not guessed about."""
    assert offsets("06" * 8) == [(0, False), (0, False)]


def test_walk_stops_at_what_it_cannot_follow() -> None:
    """A stack pointer that is set from elsewhere ends every claim about the frame."""
    code = bytes.fromhex("4889dc" + "55" + "c3")  # mov %rbx,%rsp; push; ret
    assert [step.mnemonic for step in walk(code, 0)] == ["mov rsp, rbx"]
