"""``podtab demo``: everything started, compared, said, and taken away again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from agent.demo import books, report, scrape, sdks, watcher
from agent.demo.agreement import Agreement, compare, served_figures
from agent.demo.pods import CAST, Pod
from agent.demo.sandbox import Sandbox, sandbox
from agent.demo.watcher import Watcher
from agent.model import PodtabError

# All workloads together take about ten seconds on two cores; a hanging one is a failure that must be told.
WORKLOADS_SECONDS = 120.0
# From the last byte a workload read until the figure stands on /metrics.
DRAIN_SECONDS = 15.0
# A call that is counted twice is counted the second time after the first: look again.
AFTERWARDS_SECONDS = 1.0
POLL_SECONDS = 0.1
AGREED, DIFFERS = 0, 1

_progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def demo(*, rounds: int, as_json: bool, hold: bool) -> int:
    """The exit code: 0 only where both sides agree on every figure."""
    if rounds < 1:
        raise PodtabError(f"the demo needs at least 1 call of each kind, not {rounds}")
    signal.signal(signal.SIGTERM, _leave)
    started = time.monotonic()
    sdks.check()
    pods = [replace(pod, run=str(os.getpid())) for pod in CAST]
    with sandbox() as box:
        _say("the fake provider listens; starting the agent")
        agent = watcher.start(box, pods)
        _say(f"running {len(pods)} workloads")
        run_workloads(box, pods, rounds, agent)
        _say("waiting until the agent has counted what was served")
        agreement, captured = settle(box, pods, agent)
        seconds = time.monotonic() - started
        if as_json:
            sys.stdout.write(report.as_json(agreement, pods, captured.elsewhere, seconds) + "\n")
            sys.stdout.flush()
        else:
            console = Console(width=None if sys.stdout.isatty() else report.WIDTH)
            report.show(agreement, pods, captured.elsewhere, console)
        if hold:
            _hold(agent)
        agent.stop()
    return AGREED if agreement.share == 1.0 else DIFFERS


def _leave(number: int, _frame: FrameType | None) -> None:
    """SIGTERM takes the same way out as Ctrl-C."""
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    _progress.print(f"demo: {text}")


def run_workloads(box: Sandbox, pods: Sequence[Pod], rounds: int, agent: Watcher | None = None) -> dict[str, Path]:
    """All at once, each in its pod's cgroup.  Returns what each printed; fails where one of them, or the agent, does."""
    printed = {pod.name: box.folder / f"{pod.name}.out" for pod in pods}
    running = {pod.name: _start(box, pod, rounds, printed[pod.name]) for pod in pods}
    deadline = time.monotonic() + WORKLOADS_SECONDS
    while running:
        for name, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[name]
            if process.returncode:
                words = printed[name].with_suffix(".err").read_text(errors="replace").strip().splitlines()
                reason = words[-1] if words else "it said nothing"
                raise PodtabError(f"the workload {name} ended with exit code {process.returncode}: {reason}")
        if box.provider.poll() is not None:
            raise PodtabError(f"the fake provider ended with exit code {box.provider.returncode} while it was needed")
        if agent is not None:
            agent.check()
        if time.monotonic() > deadline:
            raise PodtabError(f"workloads still ran after {WORKLOADS_SECONDS:.0f} s: {', '.join(sorted(running))}")
        time.sleep(POLL_SECONDS / 5)
    return printed


def _start(box: Sandbox, pod: Pod, rounds: int, printed: Path) -> subprocess.Popen[str]:
    with printed.open("w") as out, printed.with_suffix(".err").open("w") as err:
        return box.start(
            sdks.command(pod.script, rounds, pod.steps),
            group=pod.cgroup,
            environment=sdks.environment(key=f"sk-demo-{pod.key}", authority=box.authority, home=box.folder),
            inside=True,
            output=out,
            errors=err,
        )


def settle(box: Sandbox, pods: Sequence[Pod], agent: Watcher) -> tuple[Agreement, scrape.Captured]:
    """Scrapes until both sides agree, and a moment longer; what differs after the agent had its time is a difference."""
    served = served_figures(books.read(box.books))
    deadline = time.monotonic() + DRAIN_SECONDS
    equal_since = 0.0
    while True:
        captured = scrape.read(agent.metrics(), pods)
        agreement = compare([pod.name for pod in pods], served, captured.figures, captured.misnamed)
        now = time.monotonic()
        equal_since = (equal_since or now) if agreement.share == 1.0 else 0.0
        if now > deadline or (equal_since and now > equal_since + AFTERWARDS_SECONDS):
            return agreement, captured
        time.sleep(POLL_SECONDS)


def _hold(agent: Watcher) -> None:
    _say(
        f"the agent stays: podtab top --url {agent.url}, or its page, {agent.url.removesuffix('metrics')}; Ctrl-C ends it"
    )
    try:
        while True:
            agent.check()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        _say("cleaning up")
