"""What the agent says of itself on /metrics: capture in force, queues, ages.  Asked at every scrape, from another thread: reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import __version__
from agent.attribution.attributor import Attributor
from agent.capture.judge import Judged
from agent.capture.kernel import Kernel
from agent.capture.targets import LibraryStatus, Sight, Targets
from agent.config import Config
from agent.joining import Joining
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer
from agent.sinks import metrics
from agent.sinks.coverage import Coverage
from agent.sinks.metrics import Metric
from agent.sinks.prometheus import PrometheusSink, Samples
from agent.sinks.web import Capture

if TYPE_CHECKING:
    from agent.attribution.kubernetes_api import PodWatch


def why_not_in_force(libraries: Iterable[LibraryStatus], sight: Sight) -> str:
    """
    Why capture is asked for and not in force; "" where it is, or where nobody uses TLS.

    A stack that nobody can read is a word about its pods, not about this agent: with only such ones it still does all it can.
    """
    if sight.denied > sight.read:
        return (
            f"capture is not in force: what {sight.denied:,} of {sight.denied + sight.read:,} processes map may not be read; "
            "run podtab as root or with capability SYS_PTRACE"
        )
    libraries = list(libraries)
    failed = [library for library in libraries if library.error and not library.unreadable]
    if failed and not any(library.sites for library in libraries):
        return f"capture is not in force: {failed[0].error}"
    return ""


def capture_state(libraries: Iterable[LibraryStatus], link_kind: str, reason: str) -> Capture:
    """How capture stands; ``reason`` says why it is not in force, "" where it is."""
    libraries = list(libraries)
    slow = sum(len(library.slow_sites) for library in libraries if library.sites)
    return Capture(
        reason=reason,
        link_kind=link_kind,
        libraries_probed=sum(1 for library in libraries if library.sites),
        libraries_failed=sum(1 for library in libraries if library.error),
        sites_emulated=sum(library.sites for library in libraries) - slow,
        sites_single_stepped=slow,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHealth:
    """The parts of a running agent that have something to say."""

    config: Config
    kernel: Kernel
    targets: Targets
    pipeline: Pipeline
    attributor: Attributor
    sink: PrometheusSink
    coverage: Coverage
    joining: Joining
    pricer: Pricer
    watch: PodWatch | None
    capture: Callable[[], Capture]

    def samples(self) -> Mapping[Metric, Samples]:
        """Every gauge and counter that lives in a part, by metric."""
        published = self.pricer.book.catalog.published
        capture = self.capture()
        values: dict[Metric, Samples] = {
            metrics.KERNEL_EVENTS: {(name,): float(value) for name, value in self.kernel.counters().items()},
            metrics.PEERS: {(str(fate),): float(number) for fate, number in self.kernel.peers.fates.items()},
            metrics.RING_FILL: {(): float(self.kernel.ring.fill_bytes)},
            metrics.RING_SIZE: {(): float(self.config.capture.ring_bytes)},
            metrics.LIBRARIES: {("probed",): capture.libraries_probed, ("failed",): capture.libraries_failed},
            metrics.NEWS_LOST: {(): float(self.targets.lost_news)},
            metrics.FILES: {(str(one),): float(self.targets.judged[one]) for one in Judged},
            metrics.SITES: {("emulated",): capture.sites_emulated, ("single_stepped",): capture.sites_single_stepped},
            metrics.LINK_KIND: {(capture.link_kind,): 1.0},
            metrics.COVERAGE: self.coverage.samples(),
            metrics.MODEL_CONNECTIONS: self.joining.told.samples(),
            metrics.HELLOS: {}
            if self.kernel.egress.problem
            else {(str(fate),): float(number) for fate, number in self.joining.hellos.fates.items()},
            metrics.PROCESSES: {(): float(self.targets.processes)},
            metrics.CONNECTIONS: {(): float(self.pipeline.open_connections)},
            metrics.HELD_CALLS: {(): float(self.attributor.held_calls)},
            metrics.UNCERTAIN_NAMES: {(doubt,): float(number) for doubt, number in self.attributor.doubts.items()},
            metrics.LIMITED: {(label,): float(number) for label, number in self.sink.limiter.turned_away.items()},
            metrics.PRICE_BOOK_TIME: {} if published is None else {(): published.timestamp()},
            metrics.BUILD: {(__version__, self.pricer.price_book): 1.0},
        }
        if self.watch is not None:
            health, age = self.watch.health, self.watch.health.age_seconds()
            values[metrics.API_SERVER] = {(): float(health.reachable)}
            values[metrics.API_ERRORS] = {(str(one),): float(times) for one, times in health.errors.items()}
            values[metrics.API_REQUESTS] = {(str(one),): float(times) for one, times in health.requests.items()}
            values[metrics.POD_CACHE_AGE] = {} if age is None else {(): age}
        return values
