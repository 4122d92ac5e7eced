"""Features of functions, from bytes that an assembler would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.capture.features import features, pattern

START = 0x1000
# mov edi, 16; xor esi, esi; mov edx, 66; lea rcx, [rip + 0x100]; call +0x200; ret; int3
RAISES = bytes.fromhex("bf10000000 31f6 ba42000000 488d0d00010000 e800020000 c3 cc")


def test_what_is_named_passed_and_called() -> None:
    """Addresses, constants by argument, targets; the end is behind the return."""
    found = features(RAISES + b"\x90" * 8, START)
    assert found.passes == {1: {16}, 3: {66}}
    assert START + 19 + 0x100 in found.names
    assert set(found.calls) == {START + 24 + 0x200}
    assert found.end == START + 25
    assert (found.writes, found.locks) == (False, False)


def test_an_early_return_is_not_the_end() -> None:
    """je over a return; the part behind it belongs to the function."""
    # test edi, edi; je +1; ret; mov eax, 7; ret; mov eax, 9; ret
    found = features(bytes.fromhex("85ff 7401 c3 b807000000 c3 b809000000 c3"), START)
    assert found.end == START + 11
    assert 9 not in found.names


def test_writes_are_to_other_memory_than_the_frame() -> None:
    """mov [rax], ecx is one; mov [rsp + 8], ecx, mov [rip + 8], ecx, and mov [rbp - 8], ecx behind mov rbp, rsp are none."""
    assert features(bytes.fromhex("8908 c3"), START).writes
    assert not features(bytes.fromhex("894c2408 c3"), START).writes
    assert not features(bytes.fromhex("890d08000000 c3"), START).writes
    assert not features(bytes.fromhex("4889e5 894df8 c3"), START).writes
    assert features(bytes.fromhex("894df8 c3"), START).writes
    assert not features(bytes.fromhex("3908 c3"), START).writes


def test_an_atomic_instruction_is_seen() -> None:
    """lock xadd [rdi], eax."""
    assert features(bytes.fromhex("f00fc107 c3"), START).locks


def test_the_address_of_a_variable_is_an_argument_until_the_call() -> None:
    """lea rcx, [rsp + 8]; call; call: only the first one gets it; and what is overwritten is gone."""
    found = features(bytes.fromhex("488d4c2408 e800020000 e800030000 c3"), START)
    assert {target - START: set(some) for target, some in found.calls.items()} == {0x20A: {4}, 0x30F: set()}
    assert not any(features(bytes.fromhex("488d4c2408 31c9 e800020000 c3"), START).calls.values())
    assert [set(some) for some in features(bytes.fromhex("4989e0 e800020000 c3"), START).calls.values()] == [{5}]


def test_a_pattern_leaves_out_what_differs_between_builds() -> None:
    """Targets, addresses, wide constants; registers and opcodes stay."""
    assert pattern(RAISES, START, 24) == "bf........31f6ba........488d0d........e8........"


@given(st.binary(max_size=300))
def test_noise_gives_facts_or_none(code: bytes) -> None:
    """Whatever bytes: an end inside them, and no exception."""
    found = features(code, START)
    assert START <= found.end <= START + len(code)
    assert len(pattern(code, START, 64)) <= 2 * (64 + 15)
