"""Links: what the system calls are told, and what people are told when they fail."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from agent.capture import links
from agent.capture.links import AttachError, Link, Spot, attach_multi, attach_perf, explained


def test_closing_a_link(tmp_path: Path) -> None:
    """The farewell comes before the probes go, once; closing twice is harmless."""
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(2)]
    alive: list[bool] = []
    link = Link(id=1, descriptors=list(descriptors), farewell=lambda: alive.append(bool(os.fstat(descriptors[0]))))
    link.close()
    link.close()
    assert alive == [True]
    for descriptor in descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EPERM, "CAP_BPF"),
        (errno.ENOENT, "gone"),
        (errno.EINVAL, "does not know"),
        (errno.EMFILE, "ulimit"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_failure_is_a_sentence(code: int, words: str) -> None:
    """It names the file and what to do, not a number."""

    def fail() -> int:
        raise OSError(code, os.strerror(code))

    with pytest.raises(AttachError, match=words) as caught:
        explained("/lib/libssl.so.3", fail)
    assert str(caught.value).startswith("/lib/libssl.so.3: ")


def test_multi_tells_the_kernel_all_spots(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call with all offsets and cookies: union bpf_attr, link_create.uprobe_multi."""
    said: list[tuple[object, ...]] = []

    def syscall(_number: int, command: int, pointer: object, size: int) -> int:
        attributes = pointer._obj  # type: ignore[attr-defined]
        numbers = ctypes.POINTER(ctypes.c_uint64)
        offsets = ctypes.cast(attributes.offsets, numbers)[: attributes.cnt]
        cookies = ctypes.cast(attributes.cookies, numbers)[: attributes.cnt]
        path = ctypes.string_at(attributes.path)
        said.append((command, path, offsets, cookies, attributes.multi_flags, attributes.pid, attributes.prog_fd, size))
        return 33

    monkeypatch.setattr(links, "_syscall", syscall)
    spots = [Spot(file_offset=16, cookie=1), Spot(file_offset=32, cookie=2)]
    assert attach_multi(7, "/x", spots, returning=True, pid=5) == 33
    assert said == [(28, b"/x", [16, 32], [1, 2], 1, 5, 7, 64)]


def test_no_perf_uprobes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel without the uprobe PMU is named as such."""
    monkeypatch.setattr(links, "_UPROBE_PMU", tmp_path / "uprobe")
    with pytest.raises(AttachError, match="no perf_event uprobes"):
        attach_perf(1, "/x", Spot(file_offset=0, cookie=0), returning=False, cookies=True)


def test_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """System call numbers differ: on an unknown machine none is guessed."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(AttachError, match="riscv64"):
        attach_multi(1, "/x", [Spot(file_offset=0, cookie=0)], returning=False)
