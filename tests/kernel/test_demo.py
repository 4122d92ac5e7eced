"""``podtab demo`` as a user runs it: it agrees with the books, and leaves nothing behind whatever happens to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.demo import books, scrape
from agent.demo.agreement import TOKENS, served_figures
from agent.demo.books import Tokens
from agent.demo.janitor import PREFIX
from agent.demo.pods import CAST
from agent.demo.run import run_workloads
from agent.demo.sandbox import cgroup_root, sandbox
from tests.kernel.demo_leftovers import leftovers, namespaces, wait_until

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.usefixtures("tidy"),
]

ROOT = Path(__file__).parents[2]
PODTAB = [sys.executable, "-c", "import sys; from agent.cli import main; sys.argv[0] = 'podtab'; main()"]
# Stands for a demo in full play: the sandbox with a process in a pod's cgroup, inside the namespaces.
PLAYING = """
import os, time
from agent.demo.sandbox import sandbox
with sandbox() as box:
    box.start(["sleep", "1000"], group="kubepods.slice/pod", environment=dict(os.environ), inside=True)
    print("up", flush=True)
    time.sleep(1000)
"""


@pytest.fixture(scope="session", autouse=True)
def _sdks() -> None:
    subprocess.run([ROOT / "scripts" / "setup-demo"], check=True)


@pytest.fixture
def tidy() -> Iterator[None]:
    """Nothing of a demo before, nothing after, and the same namespaces."""
    assert leftovers() == set()
    before = namespaces()
    yield
    assert wait_until(lambda: leftovers() == set()), leftovers()
    assert wait_until(lambda: namespaces() == before)


def group_of(demo: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> Path:
    return cgroup_root() / f"{PREFIX}{demo.pid}"


@pytest.fixture(autouse=True)
def _children_hear_interrupts() -> Iterator[None]:
    """A shell starts its background jobs with SIGINT ignored, and children inherit that; a handler of ours they do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_demo_agrees_with_the_books_on_every_figure() -> None:
    """Calls, every kind of token, cost and names, per pod, through real probes: 100 %."""
    done = subprocess.run([*PODTAB, "demo", "--json", "--calls", "1"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert document["differences"] == []
    assert document["agreement"] == 1.0
    assert done.returncode == 0
    assert {row["pod"] for row in document["pods"]} == {pod.name for pod in CAST}
    assert document["calls"]["captured"] == document["calls"]["served"] >= 40


def test_held_demo_serves_a_page_that_promtool_accepts() -> None:
    """Cost stands under the pods' names while the demo is held, and Ctrl-C ends it."""
    command = [*PODTAB, "demo", "--json", "--calls", "1", "--hold"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        try:
            assert json.loads(demo.stdout.readline())["agreement"] == 1.0
            said = ""
            while "/metrics" not in said:
                said = demo.stderr.readline()
                assert said, "the demo ended"
            port = int(said.partition("http://127.0.0.1:")[2].partition("/")[0])
            _, page = scrape.get("127.0.0.1", port, "/metrics")
            assert all(f'pod="{pod.name}"' in page for pod in CAST)
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
            )
            assert (checked.returncode, checked.stderr) == (0, "")
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=30) == 0


@pytest.mark.parametrize("part", ["agent", "provider", "kubepods.slice"])
def test_demo_ends_with_a_sentence_when_a_part_of_it_is_killed(part: str) -> None:
    """The agent, the fake provider, or a workload: exit code 1, one sentence that names it, no traceback."""
    command = [*PODTAB, "demo", "--calls", "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        folder = group_of(demo) / part

        def victims() -> list[int]:
            return [
                int(pid) for path in [folder, *folder.rglob("*.scope")] for pid in _read(path / "cgroup.procs").split()
            ]

        playing = group_of(demo) / "kubepods.slice"
        assert wait_until(lambda: playing.exists() and bool(victims()), 60)
        os.kill(victims()[0], signal.SIGKILL)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert last.startswith("podtab: the ")
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_when_the_demo_is_killed(number: signal.Signals) -> None:
    """Even with SIGKILL, which it can't answer: its children go with it, the janitor removes the rest."""
    with subprocess.Popen([sys.executable, "-c", PLAYING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline() == b"up\n"
        assert len(leftovers()) > 3
        demo.send_signal(number)
        assert demo.wait(timeout=30) != 0


def test_the_next_demo_sweeps_what_a_killed_janitor_left() -> None:
    """Both killed: the folders of a dead demo are found by their name."""
    with subprocess.Popen([sys.executable, "-c", PLAYING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline() == b"up\n"
        for child in _read(Path(f"/proc/{demo.pid}/task/{demo.pid}/children")).split():
            if b"janitor" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
        demo.kill()
        demo.wait(timeout=30)
        assert group_of(demo).exists()
    with sandbox():
        assert not group_of(demo).exists()


def test_books_hold_what_the_sdks_were_told() -> None:
    """The fake's truth checked without any probe: each SDK's own usage objects add up to the books."""
    pods = [replace(pod, run=str(os.getpid())) for pod in CAST]
    with sandbox() as box:
        printed = run_workloads(box, pods, 2)
        served = served_figures(books.read(box.books))
        told = {name: _sum(path.read_text().splitlines()) for name, path in printed.items()}
    assert told == {name: {k: v for k, v in row.items() if k.startswith(TOKENS)} for name, row in served.items()}


def _sum(lines: list[str]) -> dict[str, Decimal]:
    total = Tokens()
    for line in lines:
        usage = json.loads(line)["usage"]
        total += Tokens() if usage is None else _tokens(usage)
    return {TOKENS + name: Decimal(getattr(total, name)) for name in Tokens.__slots__ if getattr(total, name)}


def _tokens(usage: dict[str, Any]) -> Tokens:
    """From the SDKs' own objects, which keep each provider's sense of input and output."""
    if "cache_creation" in usage:
        written = usage["cache_creation"]
        return Tokens(
            input=usage["input_tokens"],
            cache_read=usage["cache_read_input_tokens"],
            cache_write=written["ephemeral_5m_input_tokens"],
            cache_write_1h=written["ephemeral_1h_input_tokens"],
            output=usage["output_tokens"],
        )
    if "candidates_token_count" in usage:
        cached = usage.get("cached_content_token_count", 0)
        return Tokens(
            input=usage["prompt_token_count"] - cached,
            cache_read=cached,
            output=usage["candidates_token_count"],
            reasoning=usage.get("thoughts_token_count", 0),
        )
    inputs = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    outputs = usage.get("completion_tokens", usage.get("output_tokens", 0)) or 0
    cached = (usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    reasoning = details.get("reasoning_tokens") or 0
    return Tokens(input=inputs - cached, cache_read=cached, output=outputs - reasoning, reasoning=reasoning)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
