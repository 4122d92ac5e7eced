"""Packets and probes brought together, without a kernel; tests/kernel/test_hellos.py has one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.capture.records import PLAIN_POINTER
from agent.dialects.providers import Providers
from agent.joining import Joining
from agent.model import Chunk, ConnId, Direction, Hello, Judgement, Verdict
from agent.pipeline.hellos import SETTLE_NS, Hellos
from agent.sinks.connections import Connections
from tests.protocol.test_client_hello import message, named, record
from tests.sinks.entries import WEB

GROUP = 7
CONN = ConnId(pid=1, pointer=1, born_ns=1)
PLAIN = ConnId(pid=1, pointer=PLAIN_POINTER | 5, born_ns=1)


class Case:
    def __init__(self, *, cookie: int = 4) -> None:
        self.cookie = cookie
        self.met: list[int] = []
        self.targets: Any = SimpleNamespace(unselected_pids={})
        attributor: Any = SimpleNamespace(meet_group=self.met.append, workload_of_group=lambda _: WEB)
        told = Connections(max_pods=9)
        self.joining = Joining(Hellos(Providers().provider_at), told, lambda _: self.cookie, self.targets, attributor)

    def hello(self, name: bytes = b"api.openai.com") -> None:
        data = record(message(named(name)))
        told = Hello(cookie=4, cgroup_id=GROUP, position=0, data=data, lost=0, untold=0, at_ns=1)
        assert list(self.joining.admitted([told])) == []

    def judge(self, judgement: Judgement = Judgement.WATCH, conn: ConnId = CONN) -> None:
        chunk = Chunk(
            conn=conn, direction=Direction.SENT, position=0, data=b"GET", at_ns=2, last_at_ns=2, cgroup_id=GROUP
        )
        self.joining.join(Verdict(conn=conn, judgement=judgement, reason="known_host"), chunk)

    def outcome(self) -> list[str]:
        self.joining.tick(SETTLE_NS + 1)
        counts = next(iter(self.joining.told.outcomes().values()), {})
        return [outcome for outcome, number in counts.items() if number]


def test_one_that_was_judged_an_apis_is_read() -> None:
    """And its calls say the name that it was opened with; its group was looked at while it was there."""
    case = Case()
    case.hello()
    case.judge()
    assert case.joining.server_name_of(CONN) == "api.openai.com"
    assert case.outcome() == ["read"]
    assert case.met == [GROUP]


@pytest.mark.parametrize(
    ("cookie", "judgement", "conn", "outcome"),
    [
        (4, Judgement.IGNORE, CONN, "not_read"),
        (5, Judgement.WATCH, CONN, "not_read"),
        (0, Judgement.WATCH, CONN, "unknown"),
        # What goes over a socket as it is was never opened as TLS.
        (0, Judgement.WATCH, PLAIN, "not_read"),
    ],
)
def test_what_is_not_joined(cookie: int, judgement: Judgement, conn: ConnId, outcome: str) -> None:
    """Another verdict, another socket, a socket that nobody knows."""
    case = Case(cookie=cookie)
    case.hello()
    case.judge(judgement, conn)
    assert case.outcome() == [outcome]


def test_of_a_group_that_is_selected_in_part_nothing_is_told() -> None:
    """A packet does not say which process it was."""
    case = Case()
    case.targets.unselected_pids = {99: GROUP}
    case.hello()
    assert case.outcome() == []


def test_other_names_are_not_kept() -> None:
    """Nor is their group looked up."""
    case = Case()
    case.hello(b"bank.example")
    case.judge()
    assert case.joining.server_name_of(CONN) == ""
    assert case.met == case.outcome() == []
