"""
The composition root: everything is built, then started, then stopped, in one place.

    kernel.poll → pipeline.receive → attributor → sink           this thread; the ring buffer is its queue
    process news, mappings → targets (ELF, attach)               a thread that may block on files
    pods of this node ← API server                               a thread that may block on the network
    /metrics, /healthz, /readyz, the page                        short-lived threads of the HTTP server
"""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from agent import __version__, model
from agent.attribution.attributor import Attributor
from agent.attribution.podlist import PodListFile
from agent.attribution.settings import AttributionSettings
from agent.capture import egress, mappings
from agent.capture.follower import Follower
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.ring import ProcessEnded, ProcessStarted
from agent.capture.selection import Choice, PodFacts, Selection
from agent.capture.selftest import Result, SelfTest, as_seen, uretprobe_seccomp
from agent.capture.signature import with_own
from agent.capture.sites import Abilities
from agent.capture.stacks import noticed, plan
from agent.capture.targets import Targets
from agent.config import Config, NameSource
from agent.config_choices import plaintext_ports
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.health import AgentHealth, capture_state, why_not_in_force
from agent.host import key_salt, tokenizer
from agent.host.containers import pod_of
from agent.joining import Joining
from agent.logs import Log, configure
from agent.model import Chunk, Judgement, LedgerEntry, Opened, PricedCall, Process, Quarantined, Unsupported, Verdict
from agent.pipeline.gateways import HOLD_NS, Gateways
from agent.pipeline.hellos import Hellos
from agent.pipeline.pipeline import Output, Pipeline
from agent.prices.files import Paths, PriceFiles
from agent.pricing import Pricer
from agent.protocol.headers import key_hasher
from agent.sinks.connections import Connections
from agent.sinks.coverage import Coverage, Covered
from agent.sinks.http import HttpServer
from agent.sinks.otlp import sink as otlp
from agent.sinks.prometheus import HealthCollector, PrometheusSink
from agent.sinks.web import Capture, Identity, Site

if TYPE_CHECKING:
    from agent.attribution.kubernetes_api import PodWatch

Examine = Callable[[Config, tuple[SelfTest, ...]], str]
"""The doctor's JSON, from what was tried when the agent started."""

_LOG = Log("agent")
# The loop says it lives; a kubelet restarts who has not been heard for this long.
_HEARTBEAT_SECONDS = 15.0
_HOUSEKEEPING_SECONDS = 1.0
# Of the ring: as much again may come while we sleep, and while we read what came.
_HURRY_FROM = 1 / 16
_SWEEP_SECONDS = 300.0


def run(config: Config, *, doctor: Examine | None = None) -> int:
    """Watch this machine until SIGTERM or SIGINT."""
    configure(config.logging.level.value, "json" if config.logging.format.value == "json" else "text")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    agent = Agent(config, doctor=doctor)
    try:
        agent.start()
        agent.loop(stop)
    finally:
        agent.close()
    return 0


class Agent:
    """Everything, built; nothing of it runs before ``start``."""

    def __init__(self, config: Config, *, doctor: Examine | None = None) -> None:
        self.config = config
        self._prices = PriceFiles(Paths(overrides=config.prices.overrides, tables=config.prices.tables))
        self._pricer = pricer = Pricer(self._prices.load())
        self._price_book = pricer.price_book
        self._watch: PodWatch | None = None
        self._pod_list: PodListFile | None = None
        self._attributor = self._build_attributor()
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._sink = PrometheusSink(
            self.registry,
            max_models=config.metrics.max_models,
            max_pods=config.metrics.max_pods,
            max_workloads=config.metrics.max_workloads,
        )
        self._otlp = otlp.build(config.otlp_asked)
        self._kernel = Kernel(
            KernelSettings(
                plaintext_ports=plaintext_ports(config.capture.plaintext),
                packets=config.capture.packets,
                ring_bytes=config.capture.ring_bytes,
                max_call_bytes=config.capture.max_copy_bytes,
                links=config.capture.links.value,
            )
        )
        providers = Providers(config.providers.extra_hosts)
        self._pipeline = Pipeline(
            dialects=DIALECTS,
            provider_of=providers.provider_of,
            price=pricer.price,
            hash_key=key_hasher(key_salt.load(config.api_keys.salt_file)) if config.api_keys.hash else None,
            tokenizer=tokenizer.chosen(
                config.estimation.tokenizer.value,
                lambda error: _LOG.warning("the tokenizer failed: characters are counted from now on", error=error),
            ),
            peer_of=self._kernel.peers.peer_of,
            server_name_of=lambda conn: self._joining.server_name_of(conn),
            max_connections=config.core.max_connections,
            max_buffered_bytes=config.core.max_buffered_bytes,
        )
        self._gateways = Gateways(self._pipeline.within_another)
        self._ended: list[PricedCall] = []
        """Calls of the drain that is being read."""
        if self._kernel.egress.problem not in ("", egress.OFF):
            _LOG.warning(egress.UNSEEN, reason=self._kernel.egress.problem)
        self._selftest = uretprobe_seccomp(self._kernel)
        self._uretprobe_safe = self._selftest.result is Result.PASSED
        self._signatures = with_own(config.capture.signatures)
        abilities = self._abilities()
        heard = mappings.opened(lambda reason: _LOG.warning(mappings.UNHEARD, reason=reason))
        self._targets = Targets(
            self._kernel,
            planner=lambda elf: plan(elf, abilities),
            choose=self._choose,
            learn=self._attributor.learn,
            told=heard is not None,
            search=lambda elf: noticed.search(elf, abilities),
        )
        self._follower = Follower(self._targets, heard)
        self._heard = time.monotonic()
        self._coverage = Coverage(self._covered, max_pods=config.metrics.max_pods)
        told = Connections(max_pods=config.metrics.max_pods)
        hellos = Hellos(providers.provider_at)
        self._joining = Joining(hellos, told, self._kernel.peers.cookie_of, self._targets, self._attributor)
        health = AgentHealth(
            config=config,
            kernel=self._kernel,
            targets=self._targets,
            pipeline=self._pipeline,
            attributor=self._attributor,
            sink=self._sink,
            coverage=self._coverage,
            joining=self._joining,
            pricer=pricer,
            watch=self._watch,
            capture=self._capture_state,
        )
        self.registry.register(HealthCollector([health.samples, self._otlp.samples]))
        self._site = self._build_site(doctor) if config.page.enabled else None
        self._http = HttpServer(
            config.listen_host,
            config.listen_port,
            self.registry,
            healthy=self._why_unhealthy,
            ready=self._why_unready,
            routes=self._site.routes() if self._site is not None else {},
            hint="/, /api/v1/summary" if self._site is not None else "the page is turned off (page.enabled)",
        )

    # ----------------------------------------------------------------------------------------------------------- builders

    def _build_attributor(self) -> Attributor:
        config = self.config.attribution
        settings = AttributionSettings(
            cluster=self.config.cluster,
            node=self.config.node,
            team=config.labels.team,
            feature=config.labels.feature,
            customer=config.labels.customer,
            environment=config.labels.environment,
            hold_ns=int(config.hold_seconds * 1e9),
            grace_ns=int(self.config.metrics.grace_seconds * 1e9),
        )
        source = config.source
        if source is NameSource.POD_LIST:
            self._pod_list = PodListFile(Path(config.pod_list))
            return Attributor(settings, self._pod_list)
        if source in (NameSource.IN_CLUSTER, NameSource.KUBECONFIG):
            # The client takes 0.5 s to import; who names pods otherwise does not pay for it.
            from agent.attribution.kubernetes_api import PodWatch
            from agent.attribution.transport import connector

            access = connector(kubeconfig=config.kubeconfig, context=config.context)
            self._watch = PodWatch(access, self.config.node, patience_seconds=config.hold_seconds)
            return Attributor(settings, self._watch)
        return Attributor(settings, None)

    def _build_site(self, doctor: Examine | None) -> Site:
        return Site(
            Identity(
                node=self.config.node, cluster=self.config.cluster, version=__version__, price_book=self._price_book
            ),
            capture=self._capture_state,
            coverage=self._coverage.rows,
            connections=self._joining.told.outcomes,
            doctor=(lambda: doctor(self.config, as_seen(self._kernel, self._selftest))) if doctor else None,
            max_pods=self.config.metrics.max_pods,
        )

    def _abilities(self) -> Abilities:
        return Abilities(
            uretprobe_safe=self._uretprobe_safe,
            cookies=self._kernel.cookies,
            signatures=self._signatures,
            first_instructions=self.config.capture.sites.value == "first",
        )

    def _choose(self, process: Process) -> Choice:
        config = self.config.selection
        selection = Selection(
            namespaces=config.namespaces,
            exclude_namespaces=config.exclude_namespaces,
            pod_labels=config.pod_labels,
            process_names=config.process_names,
            exclude_process_names=config.exclude_process_names,
        )
        pod = self._attributor.labels_of(process.cgroup_path)
        facts = PodFacts(namespace=pod.namespace, labels=pod.labels) if pod else None
        return selection.choose(process.name, in_pod=pod_of(process.cgroup_path) is not None, pod=facts)

    # -------------------------------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Start the threads; capture is in force when ``ready``."""
        if not self._uretprobe_safe:
            _LOG.warning("return probes are not used", reason=self._selftest.detail or self._selftest.result.value)
        if self._watch is not None:
            self._watch.start()
            self._watch.synced.wait(timeout=5)
        self._follower.start()
        self._http.start()
        self._otlp.start()
        core = "interpreted" if (model.__file__ or "").endswith(".py") else "compiled"
        _LOG.info("started", version=__version__, core=core, listen=self.config.listen, links=self._kernel.link_kind)

    def loop(self, stop: threading.Event) -> None:
        """Drain, read, price, name, count; until ``stop``."""
        interval_seconds = self.config.capture.poll_interval_ms / 1000
        # What was built so far stays for ever: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        housekeeping = sweep = 0.0
        while not stop.is_set():
            now = self._heard = time.monotonic()
            filled = self._kernel.ring.fill_bytes / self.config.capture.ring_bytes
            self._take()
            if now >= housekeeping:
                self._keep_house(time.time_ns())
                housekeeping = now + _HOUSEKEEPING_SECONDS
            if now >= sweep:
                self._kernel.sweep()
                sweep = now + _SWEEP_SECONDS
            # Seldom is cheap: what comes together is read together.  A ring that filled quickly is looked at sooner.
            stop.wait(interval_seconds / 10 if filled > _HURRY_FROM else interval_seconds)
        self._take()
        self._keep_house(time.time_ns() + int(self.config.attribution.hold_seconds * 1e9) + HOLD_NS)

    def _take(self) -> None:
        at_ns = time.time_ns()
        for happening in self._joining.admitted(self._kernel.poll()):
            if isinstance(happening, ProcessStarted | ProcessEnded):
                self._follower.hear(happening)
                continue
            if isinstance(happening, Opened | Chunk) and happening.conn.pid in self._targets.unselected_pids:
                self._kernel.judge(Verdict(conn=happening.conn, judgement=Judgement.IGNORE, reason="unselected"))
                continue
            for output in self._pipeline.receive(happening):
                self._dispatch(output)
                self._joining.join(output, happening)
        self._pair(at_ns)

    def _dispatch(self, output: Output) -> None:
        if isinstance(output, PricedCall):
            self._attributor.meet(output.call)
            self._ended.append(output)
        elif isinstance(output, Verdict):
            self._kernel.judge(output)
            self._sink.accept_verdict(output)
            self._coverage.accept_verdict(output)
        elif isinstance(output, Unsupported):
            self._sink.accept_unsupported(output)
        elif isinstance(output, Quarantined):
            self._sink.accept_quarantined(output)
            _LOG.warning("connection given up", reason=output.reason, detail=output.detail, pid=output.conn.pid)

    def _pair(self, at_ns: int) -> None:
        """Calls that have ended, with those behind them."""
        ended, self._ended = self._ended, []
        self._name(self._gateways.take_together(ended, at_ns), at_ns)

    def _name(self, calls: Iterable[PricedCall], at_ns: int) -> None:
        for call in calls:
            if (entry := self._attributor.attribute(call, at_ns)) is not None:
                self._account(entry)

    def _account(self, entry: LedgerEntry) -> None:
        self._sink.accept(entry)
        self._otlp.accept(entry)
        self._coverage.accept(entry)
        if self._site is not None:
            self._site.accept(entry)

    def _keep_house(self, at_ns: int) -> None:
        if self._prices.refresh(self._pricer):
            self._price_book = self._pricer.price_book
        if self._pod_list is not None:
            self._pod_list.refresh()
        for output in self._pipeline.tick(at_ns):
            self._dispatch(output)
        self._joining.tick(at_ns)
        self._pair(at_ns)
        self._name(self._gateways.release(at_ns), at_ns)
        for entry in self._attributor.release(at_ns):
            self._account(entry)
        for namespace, pod in self._attributor.deleted_pods(at_ns):
            self._sink.forget_pod(namespace, pod)
            self._otlp.forget_pod(namespace, pod)
            self._joining.told.forget_pod(namespace, pod)
            if self._site is not None:
                self._site.forget_pod(namespace, pod)

    def close(self) -> None:
        """Detach first, so that no process pays for an agent that is going away."""
        self._follower.stop()
        self._targets.close()
        if self._watch is not None:
            self._watch.stop()
        self._http.shutdown()
        self._http.server_close()
        self._kernel.close()
        self._otlp.close(otlp.FLUSH_SECONDS)
        _LOG.info("stopped")

    # ------------------------------------------------------------------------------------------------------------ health

    def _why_unhealthy(self) -> str:
        silent = time.monotonic() - self._heard
        if silent > _HEARTBEAT_SECONDS:
            return f"the loop has not come round for {silent:.0f} s"
        if self._follower.died:
            return "processes are not followed any more: new ones are not seen"
        return ""

    def _why_not_in_force(self) -> str:
        if not self._follower.scanned:
            return "the first scan of processes is under way"
        return why_not_in_force(self._targets.status(), self._targets.sight) or self._why_unhealthy()

    def _why_unready(self) -> str:
        if reason := self._why_not_in_force():
            return reason
        if self._watch is not None and not self._watch.synced.is_set():
            return f"no pods from the API server yet: {self._watch.health.error or 'connecting'}"
        return ""

    def _covered(self) -> list[Covered]:
        return [
            Covered(workload=self._attributor.workload_of(one.process), coverage=one)
            for one in self._targets.coverage()
        ]

    def _capture_state(self) -> Capture:
        return capture_state(self._targets.status(), self._kernel.link_kind, self._why_not_in_force())
