"""The instructions of Go's code that are probed: proven by what stands around them, and refused where that is not so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.capture.elf import Function
from agent.capture.go_code import Read, reads, results, stack_check, writes

FOLDER = Path(__file__).parent / "data" / "go"
BUILDS = sorted(path.stem for path in FOLDER.glob("*.json"))


class Build:
    """Functions of a real program, by name; made by tests/capture/data/go/README.md's lines."""

    def __init__(self, name: str) -> None:
        data = json.loads((FOLDER / f"{name}.json").read_text())
        self.machine: str = data["machine"]
        self.expected = data["expected"]
        self.functions = {
            one["name"]: Function(
                name=one["name"],
                address=one["address"],
                file_offset=one["file_offset"],
                code=bytes.fromhex(one["code"]),
            )
            for one in data["functions"]
        }

    @property
    def read(self) -> Function:
        return self.functions["crypto/tls.(*Conn).Read"]

    @property
    def write(self) -> Function:
        return self.functions["crypto/tls.(*Conn).Write"]

    def address(self, name: str) -> int:
        return self.functions[name].address

    def writes(self, write: Function) -> list[int]:
        return writes(write, self.address("crypto/tls.(*Conn).writeRecordLocked"), self.machine)

    def reads(self, read: Function) -> list[Read]:
        return reads(read, self.address("runtime.memmove"), self.machine)


@pytest.fixture(params=BUILDS)
def build(request: pytest.FixtureRequest) -> Build:
    return Build(request.param)


def changed(function: Function, old: bytes, new: bytes) -> Function:
    assert old in function.code
    assert len(old) == len(new)
    return Function(
        name=function.name,
        address=function.address,
        file_offset=function.file_offset,
        code=function.code.replace(old, new, 1),
    )


def test_the_calls_of_real_builds(build: Build) -> None:
    """Compared with ``go tool objdump``'s listing, read by a person."""
    assert [hex(at) for at in build.writes(build.write)] == build.expected["writes"]
    assert [(hex(one.address), one.connection_offset) for one in build.reads(build.read)] == [
        tuple(one) for one in build.expected["reads"]
    ]
    for function in (build.read, build.write):
        assert hex(stack_check(function, build.machine) or 0) == build.expected["checks"][function.name]


def test_a_function_that_is_cut_or_shifted_does_not_begin_and_end_as_gos_do(build: Build) -> None:
    """So that an address that is only near is not taken for the start of the code."""
    whole = build.read
    for start, end in ((0, -16), (4, None), (16, None), (0, 16), (0, 0)):
        part = Function(name="", address=whole.address + start, file_offset=0, code=whole.code[start:end])
        assert stack_check(part, build.machine) is None, (start, end)


def test_arbitrary_bytes_are_nothing(build: Build) -> None:
    """Code of another processor, text, zeros."""
    for code in (b"", bytes(64), b"\xcc" * 64, b"\xff" * 200, b"hello, world " * 9, build.read.code[::-1]):
        function = Function(name="", address=0x1000, file_offset=0, code=code)
        assert stack_check(function, build.machine) is None
        assert build.writes(function) == []
        assert build.reads(function) == []


def test_records_of_another_type_are_not_application_data() -> None:
    """An alert (21) instead of application data (23): then this is no Write that we know."""
    build = Build("go1.26.8-amd64")
    assert build.writes(changed(build.write, b"\xbb\x17\0\0\0", b"\xbb\x15\0\0\0")) == []


def test_a_receiver_whose_place_is_written_again_is_not_believed() -> None:
    """`mov %rax, 0x68(%rsp)` a second time: then another value may stand there."""
    build = Build("go1.26.8-amd64")
    # `movq %rcx, 0x20(%rsp)` becomes `movq %rcx, 0x68(%rsp)`.
    assert build.reads(changed(build.read, bytes.fromhex("48894c2420"), bytes.fromhex("48894c2468"))) == []


def test_a_copy_to_elsewhere_is_not_the_callers_buffer() -> None:
    """The destination has to be the buffer's pointer, as the prologue put it beside the receiver."""
    build = Build("go1.26.8-amd64")
    # `movq 0x70(%rsp), %rax` before the call becomes `movq 0x78(%rsp), %rax`.
    assert build.reads(changed(build.read, bytes.fromhex("488b442470"), bytes.fromhex("488b442478"))) == []


def test_behind_an_inner_read_the_result_is_the_number_of_bytes() -> None:
    """Hand-made, as Go writes it without inlining: refused where the result is changed before the jump, or the buffer is another one."""
    # cmp 0x10(%r14),%rsp; jbe; push %rbp; sub $0x50,%rsp; movq %rax,0x60(%rsp); movq %rbx,0x68(%rsp); movq %rcx,0x70(%rsp)
    prologue = "493b6610 0f8600000000 55 4883ec50 4889442460 48895c2468 48894c2470"
    # movq 0x68(%rsp),%rbx; movq 0x70(%rsp),%rcx; call 0x5000; movq %rax,0x30(%rsp); testq %rax,%rax; jne +4
    rest = "488b5c2468 488b4c2470 e8{:08x} 4889442430 4885c0 7504"
    head = bytes.fromhex(prologue)
    call_at = 0x1000 + len(head) + 10
    relative = (0x5000 - (call_at + 5)).to_bytes(4, "little").hex()

    def found(text: str) -> list[Read]:
        code = head + bytes.fromhex(text.replace("{:08x}", relative)) + b"\x90" * 8
        return results(Function(name="", address=0x1000, file_offset=0, code=code), 0x5000, "x64")

    jump = 0x1000 + len(head) + 10 + 5 + 5 + 3
    assert found(rest) == [Read(address=jump, connection_offset=0x60)]
    assert found(rest.replace("4885c0", "31c090")) == [], "xor %eax,%eax: no result any more"
    assert found(rest.replace("488b5c2468", "488b5c2470")) == [], "another buffer"
