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
from agent.model import Process
from tests.attribution.objects import PATH


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


def test_the_root_only_composes() -> None:
    """Logic belongs to a stage: no parsing and no arithmetic on money here."""
    source = inspect.getsource(app)
    assert not {"Decimal", "json", "struct"} & set(source.split())
