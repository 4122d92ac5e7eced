"""Finding agents and asking them: every way not to answer has its words."""

from __future__ import annotations

import pytest

from agent.kubectl.agents import ask, find
from agent.kubectl.client import KubectlError, Reply, TimedOutError, UnreachableError
from tests.kubectl.fakes import FORBIDDEN, FakeApi, pod


def test_agents_are_found_over_pages() -> None:
    """By label; with their port; pods that end are none, pods that don't run have a reason."""
    gone = pod("old", "n1")
    gone["metadata"]["deletionTimestamp"] = "now"
    waiting = [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    stuck = pod("stuck", "n3", phase="Pending", containerStatuses=waiting)
    api = FakeApi([pod("b", "n2"), pod("a", "n1"), gone, pod("done", "n1", phase="Failed"), stuck])
    agents = find(api)
    assert [(agent.pod, agent.node, agent.port) for agent in agents] == [
        ("a", "n1", 9999),
        ("b", "n2", 9999),
        ("stuck", "n3", 9999),
    ]
    assert agents[2].trouble == "its pod is Pending: CrashLoopBackOff"
    assert api.asked[0][1]["labelSelector"] == "app.kubernetes.io/name=podtab"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (FORBIDDEN, "pods/proxy.*--agent-namespace"),
        (Reply(status=401, body=b"{}"), "log in again"),
        (Reply(status=500, body=b"{}"), "answers 500"),
        (Reply(status=200, body=b"<html>"), "no API server"),
        (UnreachableError("refused\x1b[2J"), r"can't be reached: refused\?"),
        (Reply(status=200, body=b'{"items":[]}'), "no agents found.*installed"),
    ],
)
def test_no_list_is_one_sentence(reply: Reply | Exception, words: str) -> None:
    """With the remedy."""
    api = FakeApi([])
    api.list_reply = reply
    with pytest.raises(KubectlError, match=words):
        find(api)


@pytest.mark.parametrize(
    ("reply", "reason", "remedy"),
    [
        (FORBIDDEN, "may not use the pod proxy", '"get" on "pods/proxy" in namespace ai-cost'),
        (Reply(status=404, body=b'{"kind":"Status"}'), "its pod is gone", "again"),
        (Reply(status=404, body=b"podtab: /metrics"), "does not know", "upgrade"),
        (Reply(status=429, body=b'{"kind":"Status"}'), "busy", "later"),
        (
            Reply(status=503, body=b'{"kind":"Status","message":"error trying to reach service"}'),
            "can't reach it (503): error trying",
            "NetworkPolicy",
        ),
        (Reply(status=503, body=b'{"error":"the doctor is busy"}'), "answers 503: the doctor is busy", "logs b"),
        (TimedOutError("late"), "no answer in time", "--request-timeout"),
        (UnreachableError("cut"), "no answer: cut", "logs b"),
        (Reply(status=200, body=b"hello"), "can't be read: not mine", "version"),
    ],
)
def test_who_is_silent_has_a_reason_and_a_remedy(reply: Reply | Exception, reason: str, remedy: str) -> None:
    """And costs the others nothing."""
    api = FakeApi([pod("a", "n1"), pod("b", "n2")])
    api.says("a", "/metrics", "fine")
    api.answers["b", "/metrics"] = reply

    def read(body: bytes) -> str:
        if body != b"fine":
            raise ValueError("not mine")
        return body.decode()

    answers = ask(api, find(api), "/metrics", {}, accept="text/plain", read=read)
    assert [(agent.node, said) for agent, said in answers.given] == [("n1", "fine")]
    (silent,) = answers.silent
    assert silent.agent.node == "n2"
    assert reason in silent.reason
    assert remedy in silent.remedy


def test_figures_that_count_twice_are_told() -> None:
    """Two agents on a node, and agents of two namespaces, one of which may be anybody's."""
    api = FakeApi([pod("a", "n1"), pod("evil", "n1", namespace="tenant")])
    for name in ("a", "evil"):
        api.says(name, "/metrics", "x")
    answers = ask(api, find(api), "/metrics", {}, accept="text/plain", read=bytes.decode)
    assert len(answers.notes) == 2
    assert "twice: n1" in answers.notes[0]
    assert "ai-cost, tenant" in answers.notes[1]
