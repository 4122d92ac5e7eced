"""What is told where packets can't be seen.  Where they can: tests/kernel/test_egress.py."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from agent.capture import egress
from agent.capture.egress import OFF, Egress


class Kernel:
    """BCC, of which the verifier takes the program or does not."""

    def __init__(self, refusal: str = "") -> None:
        self._refusal = refusal

    def load_func(self, *_: object, **__: object) -> SimpleNamespace:
        if self._refusal:
            raise RuntimeError(self._refusal)
        return SimpleNamespace(fd=7)


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "root_folder", lambda: "/sys/fs/cgroup")


@pytest.mark.parametrize(
    ("code", "words"), [(errno.EPERM, "NET_ADMIN"), (errno.EINVAL, "kind of link"), (errno.ENOSPC, "No space")]
)
def test_a_refusal_is_a_sentence(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """Which says what is missing; and closing is harmless."""

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(egress, "attach_cgroup", refuse)
    refused = Egress(Kernel(), wanted=True)
    assert words in refused.problem
    refused.close()


def test_no_root() -> None:
    """cgroup v1 alone, or a mount of the container's own group only: nothing is put there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(egress, "root_folder", lambda: "")
        assert "not mounted" in Egress(Kernel(), wanted=True).problem


def test_a_program_that_is_refused() -> None:
    """By the verifier."""
    assert "R1 invalid" in Egress(Kernel("R1 invalid mem access"), wanted=True).problem


def test_who_does_not_want_it() -> None:
    """It is not loaded, and that is no trouble."""
    assert Egress(Kernel("never asked"), wanted=False).problem == OFF


def test_it_goes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor that holds it is closed, and closing twice closes nobody else's."""
    descriptor, other = os.pipe()
    monkeypatch.setattr(egress, "attach_cgroup", lambda *_: descriptor)
    attached = Egress(Kernel(), wanted=True)
    assert attached.problem == ""
    attached.close()
    attached.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    os.close(other)
