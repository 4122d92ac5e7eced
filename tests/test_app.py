"""The composition root, as far as it needs no kernel: what is built, and what it says of itself.  tests/kernel runs the rest."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from agent import app
from agent.app import Agent
from agent.capture.selection import Choice
from agent.capture.targets import LibraryStatus, Sight
from agent.config import Config, loads
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Chunk, ConnId, Cost, Direction, PricedCall, Process, Unpriced
from agent.pipeline.gateways import VIA, Gateways
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer
from tests.attribution.objects import PATH
from tests.exchanges import request, response


def bare(config: Config, **parts: Any) -> Agent:
    """An agent of which only some parts are there: loading programs needs root."""
    agent = Agent.__new__(Agent)
    agent.config = config
    agent._watch = None
    agent._pod_list = None
    agent._follower = follower()
    for name, part in parts.items():
        setattr(agent, name, part)
    return agent


def library(error: str = "") -> LibraryStatus:
    return LibraryStatus(
        path="/lib/libssl.so.3", processes=1, sites=0 if error else 6, slow_sites=(), missing=(), error=error
    )


def follower(*, scanned: bool = False, died: bool = False) -> Any:
    return SimpleNamespace(scanned=scanned, died=died)


@pytest.mark.parametrize(
    ("scanned", "libraries", "reason"),
    [
        (False, [], "first scan"),
        (True, [], ""),
        (True, [library()], ""),
        (True, [library(), library("can't attach")], ""),
        (True, [library("needs CAP_BPF")], "capture is not in force: needs CAP_BPF"),
    ],
)
def test_readiness_tells_whether_capture_is_in_force(
    scanned: bool, libraries: list[LibraryStatus], reason: str
) -> None:
    """Asked for and not in force is said; one broken library of several is a metric, not an outage."""
    agent = bare(
        loads(""),
        _follower=follower(scanned=scanned),
        _targets=SimpleNamespace(status=lambda: libraries, sight=Sight(read=9, denied=0)),
        _heard=app.time.monotonic(),
    )
    said = agent._why_unready()
    assert said.startswith(reason) if reason == "" or "force" in reason else reason in said
    assert bool(said) == bool(reason)


def test_a_loop_that_stands_still_is_unhealthy() -> None:
    """The kubelet then restarts it."""
    assert "has not come round" in bare(loads(""), _heard=app.time.monotonic() - 60)._why_unhealthy()
    assert bare(loads(""), _heard=app.time.monotonic())._why_unhealthy() == ""


def test_a_dead_follower_is_unhealthy() -> None:
    """Who does not hear of new processes would call every later pod silent."""
    agent = bare(loads(""), _heard=app.time.monotonic(), _follower=follower(died=True))
    assert "not followed" in agent._why_unhealthy()


def test_pods_that_are_not_known_yet_are_undecided() -> None:
    """Watched until they are; names decide at once."""
    config = loads("selection: {namespaces: [shop], exclude_process_names: [envoy]}\nattribution: {source: host}")
    agent = bare(config, _attributor=SimpleNamespace(labels_of=lambda _: None))
    in_pod = Process(pid=1, start_ticks=1, name="python3", cgroup_id=1, cgroup_path=PATH)
    assert agent._choose(in_pod) is Choice.UNDECIDED
    assert (
        agent._choose(Process(pid=1, start_ticks=1, name="envoy", cgroup_id=1, cgroup_path=PATH)) is Choice.UNSELECTED
    )
    assert agent._choose(Process(pid=1, start_ticks=1, name="bash", cgroup_id=1, cgroup_path="/")) is Choice.UNSELECTED


def test_a_drain_keeps_no_order_between_a_gateways_two_ends() -> None:
    """Its own call is read before the pod's, which has ended as well: still one cost."""
    core = Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=Pricer().price)
    heard: list[PricedCall] = []
    agent = bare(
        loads(""),
        _pipeline=core,
        _gateways=Gateways(core.within_another),
        _ended=[],
        _targets=SimpleNamespace(unselected_pids=()),
        _attributor=SimpleNamespace(meet=lambda _: None),
        _joining=SimpleNamespace(join=lambda *_: None, admitted=iter),
        _kernel=SimpleNamespace(judge=lambda _: None, poll=lambda: chunks(9, "api.openai.com", 2) + chunks(8, "ai", 1)),
        _sink=SimpleNamespace(accept_verdict=lambda _: None),
        _coverage=SimpleNamespace(accept_verdict=lambda _: None),
        _name=lambda calls, _: heard.extend(calls),
    )
    agent._take()
    agent._name(agent._gateways.release(2**63), 0)
    costs = {priced.call.conn.pid: priced.cost for priced in heard}
    assert costs[9] == Unpriced(reason=VIA)
    assert isinstance(costs[8], Cost)


def chunks(pid: int, host: str, at_ns: int) -> list[Chunk]:
    """One call and its answer."""
    both = ((Direction.SENT, request(host=host)), (Direction.RECEIVED, response()))
    return [
        Chunk(
            conn=ConnId(pid=pid, pointer=1, born_ns=1),
            direction=direction,
            position=0,
            data=data,
            at_ns=at_ns,
            last_at_ns=at_ns,
            cgroup_id=pid,
        )
        for direction, data in both
    ]


def test_the_root_only_composes() -> None:
    """Logic belongs to a stage: no parsing and no arithmetic on money here."""
    source = inspect.getsource(app)
    assert not {"Decimal", "json", "struct"} & set(source.split())
