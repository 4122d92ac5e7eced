"""Every program keeps to what kernels grant it, on either processor: seen here, before a guest or a user's node refuses one."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterator

import pytest

from agent.capture import source
from agent.capture.kernel import Kernel, KernelSettings

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: BCC makes maps")]

STACK_BYTES = 512  # the kernel's MAX_BPF_STACK
# Of the verifier's million steps, BPF_COMPLEXITY_LIMIT_INSNS.  Before 6.8 it takes more of them for the same program: plaintext's in 377,000 on
# 6.1 and 27,000 on 6.18, the others' a half more.
STEPS_BEFORE_6_8, STEPS = 500_000, 250_000
PROGRAMS = re.findall(r"^int (\w+)\(struct", source.load(), re.MULTILINE)
SETTINGS = {
    "usual": KernelSettings(plaintext_ports=()),
    # As much of a call as capture.max_copy_bytes may ask for.
    "most": KernelSettings(plaintext_ports=(80, 8000), max_call_bytes=4 << 20),
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("cookies", [True, False])
@pytest.mark.parametrize("processor", ["x86", "arm64"])
def test_every_processors_code(processor: str, cookies: bool, settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """BCC compiles for another processor's registers if told so: no frame is too deep, and every loop is closed by a jump."""
    monkeypatch.setenv("ARCH", processor)
    compiled = Kernel.compiled(SETTINGS[settings], cookies=cookies)
    try:
        codes = {name: Code(compiled.dump_func(name.encode())) for name in PROGRAMS}
    finally:
        compiled.cleanup()
    depths = {name: code.stack_bytes() for name, code in codes.items()}
    assert depths["syscall_exit"] > 100, "depths are not read from the code any more"
    assert {name: depth for name, depth in depths.items() if depth > STACK_BYTES} == {}
    assert [name for name, code in codes.items() if code.falls_into_a_loop()] == []


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_verifier_takes_them(settings: str) -> None:
    """And is through long before its patience ends, as far as a kernel tells it (5.16)."""
    kernel = Kernel(SETTINGS[settings])
    try:
        steps = {name.decode(): verified(program.fd) for name, program in kernel._bpf.funcs.items()}
    finally:
        kernel.close()
    assert set(steps) == set(PROGRAMS)
    if kernel.version >= (5, 16):
        assert min(steps.values()) > 0
        bound = STEPS if kernel.version >= (6, 8) else STEPS_BEFORE_6_8
        assert {name: number for name, number in steps.items() if number > bound} == {}


def verified(program: int) -> int:
    """How many steps the verifier took."""
    from bcc import lib

    info = ctypes.create_string_buffer(232)  # struct bpf_prog_info, verified_insns at 216
    assert lib.bpf_obj_get_info(program, info, ctypes.byref(ctypes.c_uint32(len(info)))) == 0
    return int(struct.unpack_from("<I", info, 216)[0])


# https://www.kernel.org/doc/html/latest/bpf/standardization/instruction-set.html
_INSTRUCTION = struct.Struct("<BBhi")  # opcode, registers, offset, immediate
_LOAD, _STORES, _JUMPS = 1, (2, 3), (5, 6)  # classes of opcodes
_FRAME = 10  # the register that points to the frame's end
_MOVE, _ADD, _GOTO, _CALL, _EXIT = 0xBF, 0x07, 0x05, 0x85, 0x95


class Code:
    """A program's instructions."""

    def __init__(self, code: bytes) -> None:
        self._instructions = list(_INSTRUCTION.iter_unpack(code))

    def stack_bytes(self) -> int:
        """How deep its frame is: the lowest place that it reads or writes, or whose address it makes, for a helper."""
        lowest = 0
        addresses = {_FRAME: 0}  # register → where in the frame it points
        for opcode, registers, offset, immediate in self._instructions:
            kind, into, out_of = opcode & 7, registers & 15, registers >> 4
            base = out_of if kind == _LOAD else into
            if kind in (_LOAD, *_STORES) and base in addresses:
                lowest = min(lowest, addresses[base] + offset)
            if opcode == _MOVE and out_of in addresses:
                addresses[into] = addresses[out_of]
            elif opcode == _ADD and into in addresses:
                addresses[into] += immediate
                lowest = min(lowest, addresses[into])
            elif kind not in (*_STORES, *_JUMPS):
                addresses.pop(into, None)
        return -lowest

    def falls_into_a_loop(self) -> bool:
        """
        Whether an instruction before a loop's head, itself in the loop, is no jump: verifiers such as 6.1's refuse that, newer ones don't.

        A walk in depth, in the verifier's order: what is met again while it is being walked is the head of a loop.
        """
        walked: set[int] = set()
        path = {0: self._next(0)}
        while path:
            at = next(reversed(path))
            to = next(path[at], None)
            if to is None:
                walked.add(at)
                del path[at]
            elif to in path:
                if not self._jumps(at):
                    return True
            elif to not in walked:
                path[to] = self._next(to)
        return False

    def _jumps(self, at: int) -> bool:
        opcode = self._instructions[at][0]
        return opcode & 7 in _JUMPS and opcode not in (_CALL, _EXIT)

    def _next(self, at: int) -> Iterator[int]:
        opcode, _, offset, _ = self._instructions[at]
        if opcode not in (_GOTO, _EXIT):
            yield at + 1
        if self._jumps(at):
            yield at + 1 + offset
