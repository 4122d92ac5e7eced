"""
Plays rows: the demo's sandbox, provider and agent, a pod for each row, and two sets of books at the end.

A client says ``ready`` once its TLS stack is loaded, and calls when it is told to: how soon an agent finds a process is a question of its
own (tests/kernel/test_lifecycle.py), here it is what is read of a process that it found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.demo import books, scrape, sdks, watcher
from agent.demo.agreement import OUTCOME, TOKENS, compare, served_figures, total
from agent.demo.pods import Pod
from agent.demo.sandbox import ELSEWHERE, Sandbox, sandbox
from agent.demo.watcher import Watcher
from agent.model import PodtabError
from tests import grpc_hosts
from tests.kernel.packages import GRPCIO
from tests.matrix.installing import built
from tests.matrix.rows import CLIENTS, Row

ROOT = Path(__file__).parents[2]
CALLS = 6
"""Of each row, every other one streamed."""
_IN_CLUSTER = "vllm.models.svc.cluster.local:8000"
# What is off unless it is asked for.
_CONFIG = "capture: {plaintext: ['8000']}"
_PARALLEL = 4
# A JVM on a busy machine; then the calls themselves.
_READY_SECONDS = 60.0
_CALLS_SECONDS = 60.0
# A library that comes late is found by looking again, after 0.1, 0.3, 1 and 3 s.
_FOUND_SECONDS = 6.0
_SETTLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    row: Row
    not_run: str = ""
    """Why it can't be tried here."""
    problem: str = ""
    """What went wrong with the client itself."""
    sent: int = 0
    """By the provider's books."""
    captured: int = 0
    spoken: frozenset[str] = frozenset()
    """Protocols, as the provider heard them."""
    tokens_served: int = 0
    tokens_captured: int = 0
    differences: tuple[str, ...] = ()
    """Figure by figure, in words."""
    told: dict[str, str] = field(default_factory=dict)
    """Of its processes: reason → detail."""

    @property
    def failure(self) -> str:
        """Why the row fails; "" where it passes, or was not run."""
        if self.not_run:
            return ""
        if self.problem:
            return self.problem
        if self.sent != CALLS:
            return f"the client made {self.sent} calls of {CALLS}"
        if not self.row.own_server and self.spoken != {self.row.protocol}:
            return f"the client spoke {', '.join(sorted(self.spoken))}"
        if not self.row.cannot:
            said = ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in self.told.items())
            return f"{'; '.join(self.differences[:2])}; told: {said or 'nothing'}" if self.differences else ""
        detail = self.told.get("cannot_decrypt")
        if detail is None:
            return f"can't be read, and is told as {', '.join(self.told) or 'nothing'}"
        return "" if self.row.cannot.lower() in detail.lower() else f"told with another reason: {detail}"


def play(rows: Sequence[Row], say: Callable[[str], None]) -> list[Result]:
    """All of them beside one agent."""
    pods = {row.name: _pod(row) for row in rows}
    with sandbox(in_cluster=_IN_CLUSTER, elsewhere=grpc_hosts.HOSTS) as box:
        if any(row.protocol == "gRPC" for row in rows):
            _start_grpc_provider(box)
        agent = watcher.start(box, list(pods.values()), _CONFIG)

        def one(row: Row) -> Result:
            result = _play(box, agent, row, pods[row.name])
            say(f"{row.name}: {result.problem or 'played'}")
            return result

        with ThreadPoolExecutor(_PARALLEL) as pool:
            results = list(pool.map(one, rows))
        say("comparing the books")
        results = _settle(box, agent, results, pods)
        agent.stop()
    return results


def _start_grpc_provider(box: Sandbox) -> None:
    """Ends with the sandbox."""
    options = ("--address", f"{ELSEWHERE}:443", "--certificate", box.certificate, "--books", _grpc_books(box))
    process = box.start(
        [sys.executable, "-m", "tests.grpc_provider", *options],
        group="grpc-provider",
        environment={**os.environ, "PYTHONPATH": f"{ROOT}:{GRPCIO.folder()}"},
        inside=True,
        input=subprocess.PIPE,
        output=subprocess.PIPE,
    )
    if not _hears(process, "ready 443", _READY_SECONDS):
        raise PodtabError("the provider that speaks gRPC could not start")


def _grpc_books(box: Sandbox) -> Path:
    return box.folder / "grpc-books.jsonl"


def _pod(row: Row) -> Pod:
    return Pod(
        namespace="matrix",
        name=row.name,
        owner_kind="",
        owner="",
        workload=f"Pod/{row.name}",
        team="matrix",
        environment="test",
        script="",
        steps=(),
        run=str(os.getpid()),
    )


def _play(box: Sandbox, agent: Watcher, row: Row, pod: Pod) -> Result:
    work = box.folder / "work" / row.name
    work.mkdir(parents=True)
    key = f"sk-demo-{pod.key}"
    environment = {
        **sdks.environment(key=key, authority=box.authority, home=work),
        "NODE_PATH": str(built("runtimes") / "node_modules"),
        "DENO_CERT": str(box.authority),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(box.authority),
        "DENO_NO_UPDATE_CHECK": "1",
        "AWS_BEARER_TOKEN_BEDROCK": key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [
        word.format(here=CLIENTS / row.folder, built=built(row.folder), work=work) for word in row.command.split()
    ]
    with (work / "errors").open("w") as errors:
        client = box.start(
            command,
            group=pod.cgroup,
            environment=environment,
            inside=True,
            input=subprocess.PIPE,
            output=subprocess.PIPE,
            errors=errors,
        )
    problem = _converse(client, agent, pod)
    told = _told(agent, pod, until=lambda told: not row.cannot or "cannot_decrypt" in told)
    assert client.stdin
    client.stdin.close()
    if problem:
        said = (work / "errors").read_text(errors="replace").strip().splitlines()
        problem = f"{problem}: {said[-1][:200]}" if said else problem
    return Result(row=row, problem=problem, told=told)


def _converse(client: subprocess.Popen[str], agent: Watcher, pod: Pod) -> str:
    """The contract of ``clients/README.md``; what went wrong, or ""."""
    assert client.stdin
    if not _hears(client, "ready", _READY_SECONDS):
        return "the client was never ready"
    _told(agent, pod, until=bool)
    try:
        client.stdin.write(f"{CALLS}\n")
        client.stdin.flush()
    except BrokenPipeError:
        return "the client ended before its calls"
    return "" if _hears(client, "done", _CALLS_SECONDS) else "the client failed"


def _hears(client: subprocess.Popen[str], word: str, seconds: float) -> bool:
    assert client.stdout
    patience = threading.Timer(seconds, client.kill)
    patience.start()
    try:
        return any(line.strip() == word for line in iter(client.stdout.readline, ""))
    finally:
        patience.cancel()


def _told(agent: Watcher, pod: Pod, until: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """What the agent says of a pod's processes, as soon as it is enough."""
    deadline = time.monotonic() + _FOUND_SECONDS
    while True:
        status, page = scrape.get(watcher.HOST, agent.port, "/api/v1/coverage")
        pods = json.loads(page)["pods"] if status == 200 else []
        told = {
            process["reason"]: process["detail"]
            for one in pods
            if (one["namespace"], one["pod"]) == (pod.namespace, pod.name)
            for process in one["processes"]
        }
        if until(told) or time.monotonic() > deadline:
            return told
        time.sleep(0.1)


def _settle(box: Sandbox, agent: Watcher, results: Sequence[Result], pods: dict[str, Pod]) -> list[Result]:
    """Compared until all that is readable agrees, and no longer than the agent may need."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        rows = [row for path in (box.books, _grpc_books(box)) if path.exists() for row in books.read(path)]
        served = served_figures(rows)
        captured = scrape.read(agent.metrics(), list(pods.values()))
        compared = compare(list(pods), served, captured.figures, captured.misnamed)
        agreed = []
        for result, figures in zip(results, compared.pods, strict=True):
            agreed.append(
                replace(
                    result,
                    sent=CALLS if result.row.own_server else int(total([figures.served], OUTCOME)),
                    captured=int(total([figures.captured], OUTCOME)),
                    spoken=frozenset(one.protocol for one in rows if one.client == result.row.name),
                    tokens_served=int(total([figures.served], TOKENS)),
                    tokens_captured=int(total([figures.captured], TOKENS)),
                    differences=tuple(
                        f"{one.figure}: {one.served} served, {one.captured} captured"
                        for one in figures.differences
                        if one.figure.startswith((OUTCOME, TOKENS))
                    ),
                )
            )
        open_ones = [one for one in agreed if one.differences and not one.row.cannot and not one.problem]
        if not open_ones or time.monotonic() > deadline:
            return agreed
        time.sleep(0.2)
