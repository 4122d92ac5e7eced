"""
The one configuration: every setting of the agent, with its default, its bounds and what it means.

``load`` reads the file, puts the command line over it and checks everything once; after that nobody checks again.
docs/configuration.md is generated from the docstrings below, and the chart's ConfigMap holds exactly these keys.
"""

from __future__ import annotations

import enum
import os
import platform
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from agent.config_choices import Links, LogFormat, LogLevel, NameSource, Sites, plaintext_ports
from agent.config_reader import MAX_TEXT_CHARS, ConfigError, Range, Size, build, insert, parse
from agent.sinks.otlp.names import Semconv
from agent.sinks.otlp.settings import Asked

__all__ = ["Attribution", "Capture", "Config", "ConfigError", "Core", "LogLevel", "NameSource", "load", "loads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Names of pod labels, pod annotations, namespace annotations and namespace labels that say who pays; the first that is set wins."""

    team: tuple[str, ...] = ("podtab.io/team", "team", "app.kubernetes.io/team")
    """Who owns the workload."""
    feature: tuple[str, ...] = ("podtab.io/feature", "feature")
    """Which product feature the calls serve."""
    customer: tuple[str, ...] = ("podtab.io/customer", "customer")
    """On whose behalf; for workloads that serve one customer each."""
    environment: tuple[str, ...] = ("podtab.io/environment", "environment", "env")
    """prod, staging …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Which workload a call belongs to."""

    source: NameSource = NameSource.AUTO
    """auto: the PodList file if one is named, else by the kubeconfig if one is named, else the API server inside a cluster, else host."""
    kubeconfig: str = ""
    """Path of a kubeconfig file; "" means none."""
    context: str = ""
    """Context inside the kubeconfig; "" means its current one."""
    pod_list: str = ""
    """Path of a file made by `kubectl get pods -A -o json`: names pods without an API server."""
    hold_seconds: Annotated[float, Range(low=0, high=300)] = 10.0
    """How long a call waits for its pod to appear at the API server before it is counted without a pod's name."""
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which processes are watched.  Empty lists select everything; what is not selected is dropped in the kernel, before any copy."""

    namespaces: tuple[str, ...] = ()
    """Only pods of these namespaces."""
    exclude_namespaces: tuple[str, ...] = ()
    """Never pods of these namespaces."""
    pod_labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Only pods that carry all of these labels."""
    process_names: tuple[str, ...] = ()
    """Only processes of these names (/proc/PID/comm, at most 15 characters)."""
    exclude_process_names: tuple[str, ...] = ()
    """Never processes of these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The kernel side."""

    ring_bytes: Annotated[int, Size(low=64 * 1024, high=1024**3, power_of_two=True)] = 16 * 1024**2
    """Ring buffer between the kernel and the agent; when it is full, bytes are lost and counted."""
    poll_interval_ms: Annotated[int, Range(low=1, high=1000)] = 50
    """How often the ring buffer is drained; ten times as often while it fills quickly.  Longer costs less and needs a larger ring."""
    max_copy_bytes: Annotated[int, Size(low=16 * 1024, high=4 * 1024**2)] = 256 * 1024
    """Most that is copied of one TLS call, in records of 16 KiB.  The rest is counted as lost."""
    sites: Sites = Sites.BEST
    """best: instructions that the kernel emulates; first: each function's first instruction, slower, for comparison."""
    links: Links = Links.AUTO
    """auto: uprobe_multi where the kernel has it (6.6), else perf_event."""
    signatures: str = ""
    """Path of a folder with signatures of your own, for TLS libraries built in without symbols; see docs/signatures.md.  "" means only those that came with podtab."""
    plaintext: tuple[str, ...] = ()
    """HTTP without TLS, to models and gateways inside the cluster: `["any"]`, or only to these ports, e.g. `["8000", "11434"]`.  [] is off and costs
    nothing; else every system call of the machine costs a little more (docs/decisions/0012-plaintext-at-the-end-of-system-calls.md)."""
    packets: bool = True
    """See packets leave: for whom a connection goes to where its program does not tell the TLS library (asyncio, Node.js, gRPC …), and for how many connections
    to model APIs were not read, whatever opened them.  Needs the capability NET_ADMIN and cgroup v2; without them it is told, and both stay unknown (docs/accuracy.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Bounds of what is held in memory."""

    max_connections: Annotated[int, Range(low=16, high=1_000_000)] = 20_000
    """Connections read at the same time; the least recently used beyond this is given up, and counted."""
    max_buffered_bytes: Annotated[int, Size(low=1024**2, high=16 * 1024**3)] = 128 * 1024**2
    """Bytes waiting in all connections together; beyond this the largest is given up, and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Bounds of label values; what comes later than the limit is counted under `other`."""

    max_models: Annotated[int, Range(low=1, high=10_000)] = 200
    max_pods: Annotated[int, Range(low=1, high=10_000)] = 500
    max_workloads: Annotated[int, Range(low=1, high=10_000)] = 500
    grace_seconds: Annotated[float, Range(low=0, high=86_400)] = 300.0
    """How long the series of a deleted pod stay, so that the last scrape sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Which hosts are AI providers, beyond those that podtab knows."""

    extra_hosts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Host name to provider, e.g. `llm.example.com: openai`, for gateways and self-hosted models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """Which key a call was made with: a keyed hash beside each call, in traces and under /api/v1/calls; never the key, never a metric's label."""

    hash: bool = True
    """HMAC-SHA256 of the key, its first 16 digits."""
    salt_file: str = ""
    """File with the salt, the same on every node, e.g. of a mounted Secret; "" means a random one at each start: hashes then can't be joined over nodes."""


class TokenizerChoice(enum.StrEnum):
    AUTO = "auto"
    CHARACTERS = "characters"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """What calls used whose provider does not say: streams without usage, streams that were cut.  Such figures have evidence `estimated`: docs/accuracy.md."""

    tokenizer: TokenizerChoice = TokenizerChoice.AUTO
    """auto: OpenAI's own where the extra `tokenizer` is installed, as in the image, else characters by class; characters: always these, which saves
    60 MB per vocabulary; none: nothing is estimated, such calls have no tokens and no cost."""


class OtlpProtocol(enum.StrEnum):
    HTTP_PROTOBUF = "http/protobuf"


class OtlpCompression(enum.StrEnum):
    GZIP = "gzip"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSignals:
    """What is exported."""

    traces: bool = True
    """One client span a call."""
    metrics: bool = True
    """Tokens, durations and cost, cumulative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Otlp:
    """Export to an OpenTelemetry collector: docs/opentelemetry.md.  What is left out is asked of the variables OTEL_EXPORTER_OTLP_*."""

    endpoint: str = ""
    """Base URL of the collector's OTLP/HTTP receiver, e.g. `http://collector.monitoring:4318`.  "" and no variable: nothing is exported."""
    protocol: OtlpProtocol = OtlpProtocol.HTTP_PROTOBUF
    """The only one: gRPC would add its library to the image."""
    semconv: Semconv = Semconv.BOTH
    """Names of `gen_ai` attributes and metrics: today's, those of before, or both."""
    cost_aliases: tuple[str, ...] = ("gen_ai.usage.cost.amount",)
    """Further span attributes that hold the cost in dollars, beside `podtab.cost.usd`."""
    headers_file: str = ""
    """File of `name: value` lines that are sent along, such as an Authorization header; read again when it changes.  Never logged."""
    ca_file: str = ""
    """Certificate authorities (PEM) to check the collector by; "" means the usual public ones."""
    client_certificate_file: str = ""
    """PEM, for collectors that ask who calls."""
    client_key_file: str = ""
    """PEM, the key of that certificate, where it is not in the same file."""
    compression: OtlpCompression = OtlpCompression.GZIP
    """Of requests; gzip makes them about a tenth."""
    interval_seconds: Annotated[float, Range(low=1, high=3600)] = 60.0
    """How often metrics are sent."""
    timeout_seconds: Annotated[float, Range(low=0.1, high=60)] = 10.0
    """How long one request may take."""
    retry_seconds: Annotated[float, Range(low=0, high=600)] = 60.0
    """How long a batch of spans is tried, with growing pauses, at most six times, before it is given up and counted."""
    queue_size: Annotated[int, Range(low=16, high=1_000_000)] = 8192
    """Calls that may wait for a slow collector; more are dropped and counted."""
    signals: OtlpSignals = field(default_factory=OtlpSignals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What calls cost, beyond the lists that came with podtab.  Both files are read again when they change."""

    overrides: str = ""
    """Path of the customers' file: names of deployments, own prices, contracts, currencies; see docs/pricing.md.  "" means none."""
    tables: str = ""
    """Path of newer base tables, put there by `podtab prices update`; "" means those that came with podtab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Logs go to standard error and never hold payload."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What `podtab record` writes."""

    content: bool = False
    """Also message bodies, which hold prompts and answers.  Without it only lengths and headers of an allow-list are written."""
    max_bytes: Annotated[int, Size(low=1024**2, high=1024**4)] = 1024**3
    """A tape stops at this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page at `/` and the JSON under `/api/v1/`: what each pod calls and pays, for whoever reaches the port."""

    enabled: bool = True
    """false: neither is served, /metrics stays.  They show no prompt, answer or key, but who calls which model when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything.  All keys have defaults, so an empty file is a configuration."""

    listen: str = ":9464"
    """Address of /metrics, /healthz, /readyz and the page: HOST:PORT, or :PORT for all addresses."""
    cluster: str = ""
    """Name of this cluster in the figures."""
    node: str = ""
    """Name of this node; "" means the variable NODE_NAME, which the chart sets, else the host name."""
    attribution: Attribution = field(default_factory=Attribution)
    selection: Selection = field(default_factory=Selection)
    capture: Capture = field(default_factory=Capture)
    core: Core = field(default_factory=Core)
    metrics: Metrics = field(default_factory=Metrics)
    providers: Providers = field(default_factory=Providers)
    api_keys: ApiKeys = field(default_factory=ApiKeys)
    estimation: Estimation = field(default_factory=Estimation)
    page: Page = field(default_factory=Page)
    otlp: Otlp = field(default_factory=Otlp)
    prices: Prices = field(default_factory=Prices)
    logging: Logging = field(default_factory=Logging)
    record: Recording = field(default_factory=Recording)

    @property
    def otlp_asked(self) -> Asked:
        """For the export: its keys, and the bounds that it shares with /metrics."""
        otlp = self.otlp
        return Asked(
            endpoint=otlp.endpoint,
            traces=otlp.signals.traces,
            metrics=otlp.signals.metrics,
            semconv=otlp.semconv,
            cost_aliases=otlp.cost_aliases,
            headers_file=otlp.headers_file,
            ca_file=otlp.ca_file,
            client_certificate_file=otlp.client_certificate_file,
            client_key_file=otlp.client_key_file,
            compression=otlp.compression.value,
            interval_seconds=otlp.interval_seconds,
            timeout_seconds=otlp.timeout_seconds,
            retry_seconds=otlp.retry_seconds,
            queue_size=otlp.queue_size,
            max_models=self.metrics.max_models,
            max_pods=self.metrics.max_pods,
        )

    @property
    def listen_host(self) -> str:
        """ "" means all addresses."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])


# Options of the command line that stand for a key deeper down; any other override is a dotted key path.
SHORT_NAMES = MappingProxyType(
    {
        "kubeconfig": "attribution.kubeconfig",
        "log_format": "logging.format",
        "log_level": "logging.level",
        "pod_list": "attribution.pod_list",
    }
)


def load(
    path: Path | None, *, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """The configuration of ``path`` (None: all defaults) with the command line's ``overrides`` over it."""
    text = ""
    if path is not None:
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(MAX_TEXT_CHARS + 1)
        except OSError as error:
            raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not UTF-8 text") from None
    return loads(text, origin=str(path or "command line"), overrides=overrides, environ=environ)


def loads(
    text: str,
    *,
    origin: str = "configuration",
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """As ``load``, from a text."""
    data = parse(text, origin)
    for name, value in (overrides or {}).items():
        _override(data, name, value)
    config = build(Config, data, origin)
    environ = os.environ if environ is None else environ
    _check(config, origin)
    return replace(
        config,
        node=config.node or environ.get("NODE_NAME") or platform.node(),
        attribution=replace(
            config.attribution, source=_source(config.attribution, in_cluster="KUBERNETES_SERVICE_HOST" in environ)
        ),
    )


def _override(data: dict[Hashable, object], name: str, value: str) -> None:
    """Put it over the file's value.  It is tried alone first: a mistake on the command line is not blamed on the file."""
    origin, key = f"--{name.replace('_', '-')}", SHORT_NAMES.get(name, name)
    alone: dict[Hashable, object] = {}
    insert(alone, Config, key, value, origin)
    config = build(Config, alone, origin)
    if key == "listen":
        _check_listen(config.listen, origin)
    insert(data, Config, key, value, origin)


def _source(attribution: Attribution, *, in_cluster: bool) -> NameSource:
    """What ``auto`` stands for: whoever reads a loaded configuration never meets it."""
    if attribution.source is not NameSource.AUTO:
        return attribution.source
    if attribution.pod_list:
        return NameSource.POD_LIST
    if attribution.kubeconfig:
        return NameSource.KUBECONFIG
    return NameSource.IN_CLUSTER if in_cluster else NameSource.HOST


def _check_listen(listen: str, origin: str) -> None:
    port = listen.rpartition(":")[2]
    if ":" not in listen or not port.isascii() or not port.isdigit() or not 0 <= int(port[:6]) <= 65535:
        raise ConfigError(f"{origin}: listen must be HOST:PORT or :PORT with a port from 0 to 65535")


def _check(config: Config, origin: str) -> None:
    """What no single key can say."""
    _check_listen(config.listen, origin)
    source, named = config.attribution.source, config.attribution
    if source is NameSource.POD_LIST and not named.pod_list:
        raise ConfigError(f"{origin}: attribution.source is pod_list, so attribution.pod_list must name a file")
    if source is NameSource.KUBECONFIG and not named.kubeconfig:
        raise ConfigError(f"{origin}: attribution.source is kubeconfig, so attribution.kubeconfig must name a file")
    if config.capture.max_copy_bytes * 4 > config.capture.ring_bytes:
        # Four of the largest records: less, and one slow poll loses every second one.
        raise ConfigError(f"{origin}: capture.ring_bytes must be at least 4 times capture.max_copy_bytes")
    try:
        plaintext_ports(config.capture.plaintext)
    except ValueError as error:
        raise ConfigError(f"{origin}: capture.plaintext {error}") from None
    for name in (*config.selection.process_names, *config.selection.exclude_process_names):
        if len(name.encode()) > 15:
            where = "selection.process_names or exclude_process_names"
            raise ConfigError(f"{origin}: {where}: a name is longer than the 15 bytes that the kernel keeps")
