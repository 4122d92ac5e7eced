"""Pages of metrics as the agent's own sink writes them."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from agent.model import Evidence, LedgerEntry, Outcome, Usage, Workload
from agent.sinks import metrics
from agent.sinks.prometheus import HealthCollector, PrometheusSink
from tests.pricing.calls import call
from tests.sinks.entries import PRICER

CHECKOUT = Workload(namespace="shop", kind="Deployment", name="checkout", pod="checkout-1")
VLLM = Workload(namespace="ml", kind="StatefulSet", name="vllm-client", pod="vllm-client-0")
BROKEN = Workload(namespace="shop", kind="Pod", name="nokey", pod="nokey")
CRON = Workload(kind="SystemdUnit", name="cron.service")
USAGE = Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400, reasoning_output_tokens=50)


class Agent:
    """A sink that is fed by hand; ``page`` is what it would serve."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sink = PrometheusSink(self.registry, max_models=200, max_pods=500, max_workloads=500)
        self.registry.register(HealthCollector([self._health]))
        self.lost = 0.0
        self.api_server: float | None = None

    def _health(self) -> dict[metrics.Metric, dict[tuple[str, ...], float]]:
        values: dict[metrics.Metric, dict[tuple[str, ...], float]] = {
            metrics.KERNEL_EVENTS: {("ring_lost_bytes",): self.lost, ("ignored_bytes",): 10**9}
        }
        if self.api_server is not None:
            values[metrics.API_SERVER] = {(): self.api_server}
        return values

    def priced(self, workload: Workload = CHECKOUT, number: int = 1) -> None:
        """gpt-4o-mini: 0.00024 dollars and one second each."""
        self._accept(workload, number)

    def unpriced(self, workload: Workload = VLLM, number: int = 1) -> None:
        one = call("unknown", "house-llama", USAGE)
        for _ in range(number):
            self.sink.accept(LedgerEntry(call=one, cost=PRICER.price(one), workload=workload))

    def refused(self, workload: Workload = BROKEN, number: int = 1) -> None:
        one = call(usage=Usage(), evidence=Evidence.NOT_APPLICABLE, outcome=Outcome.CLIENT_ERROR)
        for _ in range(number):
            self.sink.accept(LedgerEntry(call=one, cost=PRICER.price(one), workload=workload))

    def cut(self, workload: Workload = CHECKOUT) -> None:
        one = replace(call(usage=Usage(), evidence=Evidence.ABSENT), outcome=Outcome.CUT)
        self.sink.accept(LedgerEntry(call=one, cost=PRICER.price(one), workload=workload))

    def _accept(self, workload: Workload, number: int) -> None:
        one = call(usage=USAGE)
        for _ in range(number):
            self.sink.accept(LedgerEntry(call=one, cost=PRICER.price(one), workload=workload))

    @property
    def page(self) -> str:
        return generate_latest(self.registry).decode()
