"""Counters and log lines of access to the API server."""

from __future__ import annotations

import logging

import pytest

from agent.attribution.api_health import ApiHealth, Resource
from agent.attribution.transport import ApiError, Reason


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == "podtab.kubernetes"]


def test_a_trouble_is_one_line_and_its_end_another(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand failures are a thousand in the counter and one in the log; another reason is told once, too."""
    caplog.set_level(logging.INFO, "podtab.kubernetes")
    health = ApiHealth()
    for _ in range(500):
        health.failed(Resource.POD_WATCH, ApiError(Reason.UNREACHABLE))
        health.failed(Resource.POD_LIST, ApiError(Reason.TIMEOUT))
    assert lines(caplog) == ["WARNING", "WARNING"]
    assert (health.reachable, health.error) == (False, "timeout")
    for _ in range(500):
        health.worked(Resource.POD_LIST)
    assert lines(caplog) == ["WARNING", "WARNING", "INFO"]
    assert (health.reachable, health.error) == (True, "")
    assert (health.errors[Reason.UNREACHABLE], health.errors[Reason.TIMEOUT], health.errors[Reason.TLS]) == (
        500,
        500,
        0,
    )


def test_owners_and_namespaces_have_troubles_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    """Denied namespaces cost team names; pods are reachable all the same."""
    health = ApiHealth()
    health.worked(Resource.POD_LIST)
    health.failed(Resource.NAMESPACE, ApiError(Reason.DENIED, status=403))
    assert (health.reachable, lines(caplog)) == (True, ["WARNING"])
    assert "teams" in caplog.records[-1].__dict__["fields"]["consequence"]


def test_ordinary_answers_are_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An owner that is gone and a version that expired happen every day."""
    health = ApiHealth()
    health.worked(Resource.POD_WATCH)
    health.failed(Resource.POD_WATCH, ApiError(Reason.EXPIRED, status=410))
    health.failed(Resource.OWNER, ApiError(Reason.NOT_FOUND, status=404))
    assert (health.reachable, lines(caplog)) == (True, [])
    assert (health.errors[Reason.EXPIRED], health.errors[Reason.NOT_FOUND]) == (1, 1)


def test_age_grows_until_the_server_is_heard() -> None:
    """Unknown before the first list, never 0."""
    now = [100.0]
    health = ApiHealth(lambda: now[0])
    assert health.age_seconds() is None
    health.worked(Resource.POD_LIST)
    now[0] = 142.0
    assert health.age_seconds() == 42.0
