"""Facts about x86-64 code: which instructions the kernel emulates, where arguments are, which returns there are."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.capture.x86 import StackSlot, can_be_probed, exits, is_emulated, returns, walk


@pytest.mark.parametrize(
    ("code", "emulated"),
    [
        ("55", True),  # push %rbp
        ("4154", True),  # push %r12
        ("e800000000", True),  # call
        ("e900000000", True),  # jmp
        ("eb00", True),
        ("7e05", True),  # jle
        ("0f8e00000000", True),
        ("90", True),  # nop
        ("f30f1efa", False),  # endbr64
        ("4883ec08", False),  # sub
        ("4889e5", False),  # mov
        ("c3", False),  # ret
        ("85d2", False),  # test
        ("66e80000", False),  # callw: 16-bit operands are refused
        ("ff25000000", False),  # indirect jmp
        ("ff7508", False),  # push of memory
        ("6a01", False),  # push of a constant
        ("0fa2", False),  # cpuid
    ],
)
def test_emulated_instructions(code: str, emulated: bool) -> None:
    """As arch/x86/kernel/uprobes.c has them."""
    assert is_emulated(bytes.fromhex(code)) is emulated


@pytest.mark.parametrize(
    ("code", "can"),
    [
        ("4154", True),  # push %r12
        ("2e2e2e2e4154", False),  # the same, padded by an assembler: awscrt's s2n_recv
        ("f30f1efa", True),  # endbr64
        ("6664488b0425", True),  # a read of the thread's data
        ("f00fb10f", False),  # lock cmpxchg
    ],
)
def test_instructions_that_take_no_probe(code: str, can: bool) -> None:
    """As arch/x86/kernel/uprobes.c has them."""
    assert can_be_probed(bytes.fromhex(code)) is can


def test_arguments_are_followed_through_moves() -> None:
    """`mov %rcx,%r8; xor %ecx,%ecx; jmp`: OpenSSL 3.3's SSL_write_ex hands its fourth argument on as the fifth."""
    steps = list(walk(bytes.fromhex("4989c8" + "31c9" + "eb00"), 0))
    assert steps[-1].holds("r8", 4)
    assert not steps[-1].holds("rcx", 4)
    assert steps[-1].arguments_intact(3)


def test_stack_slots_are_relative_to_the_entry() -> None:
    """`sub $0x18,%rsp; lea 8(%rsp),%rcx; nop`."""
    last = list(walk(bytes.fromhex("4883ec18" + "488d4c2408" + "90"), 0))[-1]
    assert (last.stack, last.values["rcx"]) == (-0x18, StackSlot(offset=-0x10))


def test_a_narrow_copy_is_another_value() -> None:
    """`mov %edi,%edi` cuts the pointer; `movslq %edx,%rdx` widens the size."""
    last = list(walk(bytes.fromhex("89ff" + "4863d2" + "90"), 0))[-1]
    assert not last.holds("rdi", 1)
    assert last.holds("rdx", 3)


def test_every_return_or_none() -> None:
    """A jump out of the function would be a return that is missed, so then there are none."""
    assert returns(bytes.fromhex("7501" + "c3" + "90" + "c3"), 0x10) == [0x12, 0x14]
    assert returns(bytes.fromhex("7505" + "c3" + "e9ffffff7f"), 0x10) == []
    assert returns(bytes.fromhex("c3" + "06"), 0x10) == []


def test_ways_out() -> None:
    """Returns, and jumps elsewhere where the stack pointer is the entry's again; both branches are followed."""
    # sub $8,%rsp; je +5; add $8,%rsp; ret; add $8,%rsp; jmp far
    code = bytes.fromhex("4883ec08" + "7405" + "4883c408" + "c3" + "4883c408" + "e9ffffff7f")
    assert [(way.address, way.tail_jump, way.emulated) for way in exits(code, 0x10)] == [
        (0x1A, False, False),
        (0x1F, True, True),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "ffe0",  # jmp *%rax
        "7501" + "c3",  # a branch into the middle of nowhere: behind the end
        "4883ec08" + "e9ffffff7f",  # a jump elsewhere with a frame left over
        "7402" + "6a00" + "90" + "c3",  # je over a push: two stacks meet
        "90",  # runs off its end
        "4889dc" + "c3",  # the stack pointer is set from elsewhere
        "0f84ffffff7f" + "c3",  # a conditional jump elsewhere
        "06",
    ],
)
def test_ways_out_in_doubt_are_none(code: str) -> None:
    """One way out that is not understood, and the whole function is not read by its ways out."""
    assert exits(bytes.fromhex(code), 0x10) == []


@given(st.binary(max_size=64))
@example(b'\x0f"\x01')  # mov cr0, rcx
def test_any_bytes(code: bytes) -> None:
    """No exception, bounded."""
    assert len(list(walk(code, 0x1000))) <= 65
    assert len(returns(code, 0x1000)) <= len(code)
    assert len(exits(code, 0x1000)) <= len(code)
