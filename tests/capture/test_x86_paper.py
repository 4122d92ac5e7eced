"""Code run on paper does what the processor does, or is given up."""

from __future__ import annotations

import ctypes
import mmap
import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.x86_paper import Paper, UnknownCodeError

WORD = st.one_of(
    st.sampled_from(
        [0, 1, 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 5, (1 << 64) - 1]
    ),
    st.integers(0, (1 << 64) - 1),
)
OPERATIONS = {
    "add": "4801f7",
    "sub": "4829f7",
    "cmp": "4839f7",
    "xor": "4831f7",
    "or": "4809f7",
    "and": "4821f7",
    "test": "4885f7",
    "inc": "48ffc7",
    "dec": "48ffcf",
    "add, 32 bits": "01f7",
    "sub, 32 bits": "29f7",
    "cmp, 32 bits": "39f7",
    "cmp, a byte": "4038f7",
    "cmp with a constant": "4883ff05",
    "cmp with a negative one": "4883fffe",
    "inc behind a carry": "4839f7 48ffc7",
    "btc behind a test": "4885f7 480fbaff3f",
    "movzx": "400fb6fe 4885ff",
    "movsxd": "4863fe 4885ff",
    "lea": "488d7cf704 4885ff",
    "a word of the stack": "57 488b3c24 5e 4839f7",
    "a byte of the stack": "57 40b707 400fb63c24 5e 4885ff",
}
# o, no, b, ae, e, ne, be, a, s, ns, l, ge, le, g
CONDITIONS = [*range(10), *range(12, 16)]


def snippet(operation: str, condition: int) -> bytes:
    """rdi, and above it in bit 0 whether the condition holds, by both setcc and cmovcc."""
    ways = f"0f9{condition:x}c0 0fb6c0 b900000000 480f4{condition:x}c8 4801f8 4801c8"
    # Jumped over where it holds.
    return bytes.fromhex(f"{OPERATIONS[operation]} {ways} c3")


class Processor:
    """A page of code on this machine."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        where = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)(where)

    def run(self, code: bytes, left: int, right: int) -> int:
        self._page.seek(0)
        self._page.write(code)
        return int(self._call(left, right))


@pytest.fixture(scope="module")
def processor() -> Processor:
    if platform.machine() != "x86_64":
        pytest.skip("needs an x86-64 processor to compare with")
    return Processor()


@pytest.mark.parametrize("operation", OPERATIONS)
@given(left=WORD, right=WORD)
def test_as_the_processor_does(processor: Processor, operation: str, left: int, right: int) -> None:
    """Results, flags and conditions, of numbers that are hard for them."""
    for condition in CONDITIONS:
        code = snippet(operation, condition)
        paper = Paper({"rdi": left, "rsi": right}, {})
        paper.run(code, 0)
        assert paper.registers["rax"] == processor.run(code, left, right), condition


@given(left=WORD, right=WORD)
def test_jumps_as_the_processor_does(processor: Processor, left: int, right: int) -> None:
    """Every conditional jump, short and near, taken or not."""
    for condition in CONDITIONS:
        for jump in (f"7{condition:x}03", f"0f8{condition:x}03000000"):
            code = bytes.fromhex(f"31c0 4839f7 {jump} 48ffc0 c3")
            paper = Paper({"rdi": left, "rsi": right}, {})
            paper.run(code, 0)
            assert paper.registers["rax"] == processor.run(code, left, right), (condition, jump)


def test_what_nobody_set_is_a_number_of_its_own() -> None:
    """Two words of unknown memory are never taken for each other, and stay what they are."""
    paper = Paper({"rdi": 1 << 50}, {})
    paper.run(bytes.fromhex("488b07 488b4f08 488b17 c3"), 0)
    assert paper.registers["rax"] == paper.registers["rdx"] != paper.registers["rcx"]
    assert paper.words_read == {1 << 50, (1 << 50) + 8}


def test_copies_by_vectors_are_found() -> None:
    """``movups xmm0, [rdi]; movups [rsi], xmm0``: two words at once."""
    paper = Paper({"rdi": 4096, "rsi": 8192}, {4096: 11, 4104: 12})
    paper.run(bytes.fromhex("0f1007 0f1106 c3"), 0)
    assert sorted(paper.places_of((11, 12))) == [4096, 8192]
    assert paper.word(8200) == 12


@pytest.mark.parametrize(
    "code",
    ["0fa2 c3", "ebfe", "ff27", "64488b0425 00000000 c3", "88e0 c3", "0f9ac0 c3", "7a00 c3", "50", "e9ffffff7f", ""],
    ids=["cpuid", "for ever", "a jump to memory", "the thread's own", "ah", "setp", "jp", "its end", "away", "nothing"],
)
def test_what_is_not_known_is_given_up(code: str) -> None:
    """Also where code ends without a return."""
    with pytest.raises(UnknownCodeError):
        Paper({}, {}).run(bytes.fromhex(code), 0)
