"""A pod asks a gateway, the gateway asks the provider, both on this node: one cost, with the pod, and the gateway's call says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.capture.kernel import Kernel, KernelSettings
from agent.demo import scrape
from agent.model import Cost, PricedCall, Unpriced, Usage
from agent.pipeline.gateways import HOLD_NS, VIA, Gateways
from agent.pricing import Pricer
from tests.kernel.plain_server import PlainServer
from tests.kernel.test_coverage import PODTAB, free_port
from tests.kernel.test_plain import TIMES, Watcher, python
from tests.pricing.calls import call as example

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: real tracepoints")]

ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
CONFIG = """\
listen: 127.0.0.1:{port}
attribution: {{source: host}}
capture: {{plaintext: ["{gateway}", "{provider}"]}}
"""
STREAMED = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def provider() -> Iterator[PlainServer]:
    server = PlainServer()
    yield server
    server.close()


@pytest.fixture
def gateway(provider: PlainServer) -> Iterator[tuple[int, int]]:
    """Its pid and port."""
    script = Path(__file__).parent / "plain_gateway.py"
    command = [sys.executable, "-I", "-S", str(script), str(provider.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["json", "sse"])
def test_one_cost_with_who_asked(provider: PlainServer, gateway: tuple[int, int], asked: dict[str, object]) -> None:
    """Three processes are watched: as many costs as the provider served, to the cent, all of them the pod's."""
    gateway_pid, port = gateway
    kernel = Kernel(KernelSettings(plaintext_ports=()))
    try:
        watcher = Watcher(kernel, port, provider.port)
        pid = watcher.run(python("requests")(f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(asked), TIMES))
    finally:
        kernel.close()
    pricer = Pricer()
    gateways = Gateways(lambda _: True)
    out: list[PricedCall] = []
    for call in watcher.calls:
        out += gateways.take(PricedCall(call=call, cost=pricer.price(call)), call.ended_at_ns)
    out += gateways.release(max(call.ended_at_ns for call in watcher.calls) + HOLD_NS)
    assert len(provider.books) == TIMES
    assert len(out) == 2 * TIMES
    assert {(one.call.conn.pid, one.cost) for one in out if not isinstance(one.cost, Cost)} == {
        (gateway_pid, Unpriced(reason=VIA))
    }
    paid = [one for one in out if isinstance(one.cost, Cost)]
    assert {one.call.conn.pid for one in paid} == {pid}
    used = [(one.call.reading.usage.input_tokens, one.call.reading.usage.output_tokens) for one in paid]
    assert sorted(used) == sorted((one.input_tokens, one.output_tokens) for one in provider.books)
    # Of the inner calls, priced by themselves.
    alone = [pricer.price(call) for call in watcher.calls if call.conn.pid == gateway_pid]
    assert sum(one.cost.total_usd for one in paid if isinstance(one.cost, Cost)) == sum(
        cost.total_usd for cost in alone if isinstance(cost, Cost)
    )
    assert all(isinstance(cost, Cost) and cost.total_usd > 0 for cost in alone)


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "patience"
        time.sleep(0.2)


def counted(port: int, name: str, **labels: str) -> float:
    """Of calls to models of the test's; the machine may make others."""
    page = scrape.get("127.0.0.1", port, "/metrics")[1]
    wanted = {**labels, "model": "gpt-4o-mini"}
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and wanted.items() <= sample.labels.items()
    )


def test_the_agent_pays_the_provider_once(tmp_path: Path, provider: PlainServer, gateway: tuple[int, int]) -> None:
    """Twice the calls, as both are told; the dollars of the provider's books, once; and how many are the gateway's own."""
    port = free_port()
    _, asked_at = gateway
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=port, gateway=asked_at, provider=provider.port))
    agent = subprocess.Popen([*PODTAB, "run", "--config", tmp_path / "config.yaml"])
    try:
        wait(lambda: scrape.get("127.0.0.1", port, "/readyz")[0] == 200)
        url = f"http://127.0.0.1:{asked_at}/v1/chat/completions"
        subprocess.run(python("requests")(url, json.dumps(ASKED), TIMES), check=True)
        wait(lambda: counted(port, "podtab_calls_total") == 2 * TIMES)
        assert counted(port, "podtab_unpriced_calls_total", reason="via_gateway") == TIMES
        assert counted(port, "podtab_unpriced_calls_total") == TIMES
        costs = [
            Pricer().price(example(usage=Usage(input_tokens=one.input_tokens, output_tokens=one.output_tokens)))
            for one in provider.books
        ]
        expected = sum((cost.total_usd for cost in costs if isinstance(cost, Cost)), Decimal(0))
        assert expected > 0
        assert counted(port, "podtab_cost_usd_total") == pytest.approx(float(expected))
    finally:
        agent.terminate()
        assert agent.wait(30) == 0
