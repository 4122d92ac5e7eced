"""The seccomp self-test, in all its answers: only a child that lived under a probe that fired is a pass."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agent.capture import selftest
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.selftest import CHILD, Result, uretprobe_seccomp

pytestmark = pytest.mark.kernel

SMALL = {"ring_bytes": 64 * 1024, "max_connections": 64, "max_threads": 64, "max_cgroups": 64, "max_links": 64}


@pytest.fixture(scope="module", params=["uprobe_multi", "perf_event"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    kernel = Kernel(KernelSettings(links=request.param, **SMALL))
    yield kernel
    kernel.close()


def test_a_kernel_that_lets_it_live(kernel: Kernel) -> None:
    """Whatever this kernel does, the test was made; where it lives, the probe fired."""
    said = uretprobe_seccomp(kernel)
    assert said.result is not Result.NOT_MADE, said.detail


def test_a_child_that_is_killed(kernel: Kernel) -> None:
    """The filter does kill, and a kill is told as unsafe: here getpid plays the hidden call."""
    child = CHILD.replace("335)", "39)").replace("libc.labs(-1)", "libc.getpid()")
    assert child != CHILD
    assert uretprobe_seccomp(kernel, child=child).result is Result.FAILED


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("libc.labs(-1)", "pass", "0 hits"),
        ('print("alive"', 'sys.exit(3); print("alive"', "ended with 3"),
        ("libc.prctl(22, 2, program, 0, 0)", "True", "confine"),
    ],
)
def test_what_was_not_tried_is_no_pass(kernel: Kernel, old: str, new: str, words: str) -> None:
    """A child that never met a probe, or fell over something else, proves nothing."""
    said = uretprobe_seccomp(kernel, child=CHILD.replace(old, new))
    assert said.result is Result.NOT_MADE
    assert words in said.detail


def test_a_child_that_hangs(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start does not wait for ever, and the child is gone."""
    monkeypatch.setattr(selftest, "_PATIENCE_SECONDS", 0.2)
    said = uretprobe_seccomp(kernel, child=CHILD.replace('print("alive"', 'input(); input(); print("alive"'))
    assert said.result is Result.NOT_MADE


def test_a_running_agent_knows_without_trying_again(kernel: Kernel) -> None:
    """Its links and its packets' program are the answer about these; a ring that brought nothing yet is no pass."""
    seccomp = selftest.SelfTest(name="uretprobe_seccomp", result=Result.PASSED)
    told = {one.name: one.result for one in selftest.as_seen(kernel, seccomp)}
    assert told.pop("uprobe_multi", None) == (Result.PASSED if kernel.link_kind == "uprobe_multi" else None)
    assert told.pop("packets", None) == (Result.FAILED if kernel.egress.problem else Result.PASSED)
    assert told == {"ring_buffer": Result.NOT_MADE, "uretprobe_seccomp": Result.PASSED}
