"""The self-tests themselves, in both directions: they pass where capture works and fail where it does not."""

from __future__ import annotations

import pytest

from agent.capture.selftest import Result, SelfTest
from agent.doctor import selftests


def by_name() -> dict[str, SelfTest]:
    return {test.name: test for test in selftests.selftests()}


def test_talking_to_ourselves_needs_no_certificate() -> None:
    """The TLS connection in memory comes about with this OpenSSL; else the self-test would blame capture."""
    selftests.talk()


@pytest.mark.kernel
def test_capture_works_here() -> None:
    """Real probes on our own process see the payload, once a direction."""
    results = by_name()
    assert results["ring_buffer"].result is Result.PASSED, results["ring_buffer"].detail
    if "uprobe_multi" in results:
        assert results["uprobe_multi"].result is Result.PASSED, results["uprobe_multi"].detail
    assert results["uretprobe_seccomp"].result is not Result.NOT_MADE, results["uretprobe_seccomp"].detail


@pytest.mark.kernel
def test_missing_records_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was said, so nothing is seen, and both ways of linking are reported as failing."""
    monkeypatch.setattr(selftests, "talk", lambda: None)
    results = by_name()
    assert results["ring_buffer"].result is Result.FAILED
    assert "seen 0 times" in results["ring_buffer"].detail


@pytest.mark.kernel
def test_a_call_that_is_seen_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event a call: double counting is as wrong as none."""
    once = selftests.talk

    def twice() -> None:
        once()
        once()

    monkeypatch.setattr(selftests, "talk", twice)
    assert "seen 2 times" in by_name()["ring_buffer"].detail


def test_a_built_in_library_is_not_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a library to probe the test was not made, and says so."""
    monkeypatch.setattr(selftests, "own_library", lambda: "")
    assert by_name()["ring_buffer"].result is Result.NOT_MADE
