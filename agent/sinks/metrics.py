"""
Every metric of the agent, in one table; docs/metrics.md is generated from it.

Labels say who (namespace … environment), what (provider, model, operation) and how sure (evidence).  Histograms carry fewer,
because each of their series is sixteen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

WHO = ("namespace", "workload_kind", "workload", "pod")
BASE = (*WHO, "provider", "model", "operation", "evidence", "team", "feature", "environment")
TIMED = (*WHO, "provider", "model", "operation")

# OpenTelemetry's for gen_ai.client.operation.duration.
SECONDS_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """``name`` without the ``_total`` that exposition adds to counters.  Compared by identity: as keys they are looked up for every call."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = field(default=())

    @property
    def exposed_name(self) -> str:
        return f"{self.name}_total" if self.kind == "counter" else self.name


COST = Metric(
    name="podtab_cost_usd",
    kind="counter",
    labels=BASE,
    help="Cost of calls in US dollars: a sum of floats, for graphs; exact decimal amounts are in the ledger. Calls without a known price are not in it: see podtab_unpriced_calls_total.",
)
CALLS = Metric(
    name="podtab_calls",
    kind="counter",
    labels=(*BASE, "outcome"),
    help="Calls to models by outcome: ok, rate_limited, client_error, server_error, cut.",
)
TOKENS = Metric(
    name="podtab_tokens",
    kind="counter",
    labels=(*BASE, "type"),
    help="Tokens by disjoint type, so that types may be added up: input, cache_read, cache_read_audio, cache_read_image, cache_write, cache_write_1h, cache_write_12h, "
    "tool_use, input_audio, input_image, input_video, output, reasoning, output_audio, output_image. What is billed on top of a call, perhaps of another model, "
    "is counted with the call.",
)
TOOL_CALLS = Metric(
    name="podtab_tool_calls",
    kind="counter",
    labels=(*BASE, "tool", "run_by"),
    help="Calls of tools by name, and by who runs them: application (the model asked for it), provider (within the answer), mcp (an MCP server, called over HTTP).",
)
UNPRICED_CALLS = Metric(
    name="podtab_unpriced_calls",
    kind="counter",
    labels=(*BASE, "reason"),
    help="Calls without a price: unknown_model, unknown_provider, unknown_unit, no_usage, committed (capacity paid in advance), price_book_error; not_billed are errors and answers from a gateway's cache, which cost nothing; via_gateway are a gateway's own calls, whose cost stands with who called it.",
)
UNPRICED_TOKENS = Metric(
    name="podtab_unpriced_tokens",
    kind="counter",
    labels=(*BASE, "reason"),
    help="Tokens of calls without a price.",
)
RETRIES = Metric(
    name="podtab_retried_calls",
    kind="counter",
    labels=BASE,
    help="Calls that the SDK itself marked as a retry of an earlier one.",
)
DURATION = Metric(
    name="podtab_call_duration_seconds",
    kind="histogram",
    labels=TIMED,
    help="From the first byte of the request to the last of the response. Fewer labels than the counters, to bound the number of series.",
)
FIRST_TOKEN = Metric(
    name="podtab_time_to_first_token_seconds",
    kind="histogram",
    labels=TIMED,
    help="From the first byte of the request to the first event of a streamed response. Fewer labels than the counters.",
)
LOST_BYTES = Metric(
    name="podtab_call_lost_bytes",
    kind="counter",
    labels=WHO,
    help="Bytes of calls that were seen and not read; the calls they belong to have evidence partial where it mattered.",
)
UNSUPPORTED = Metric(
    name="podtab_unsupported_exchanges",
    kind="counter",
    labels=("provider", "reason"),
    help="Exchanges with a known provider in an API that podtab does not read: their cost is not known.",
)
JUDGED = Metric(
    name="podtab_judged_connections",
    kind="counter",
    labels=("judgement", "reason"),
    help="Connections by verdict: watch, or ignore (their bytes are dropped in the kernel).",
)
QUARANTINED = Metric(
    name="podtab_quarantined_connections",
    kind="counter",
    labels=("reason",),
    help="Connections given up: protocol_error, bug, memory, too_many.",
)
REMARKS = Metric(
    name="podtab_remarks",
    kind="counter",
    labels=("provider", "remark"),
    help="Odd usage and prices, by rule: contradictory counts that were cut to fit (also of calls without a price), and which tier or modality has no price of its own.",
)
LIMITED = Metric(
    name="podtab_limited_label_values",
    kind="counter",
    labels=("label",),
    help="How often a label value was counted under `other` because the limit of its label was reached.",
)

# ------------------------------------------------------------------------------------------------- health, read on scrape

KERNEL_EVENTS = Metric(
    name="podtab_capture_kernel_events",
    kind="counter",
    labels=("event",),
    help="What the kernel side counted: captured, lost, ignored and unselected bytes, full maps, failed helpers.",
)
PEERS = Metric(
    name="podtab_connection_peers",
    kind="counter",
    labels=("how",),
    help="TLS connections to models that have ended, by how their other end's address is known: given (the program gave the descriptor to the library), memory (Go), packet (its records were recognized as they left); or why "
    "it is not: no_descriptor (nobody saw which one it uses, and no packet was recognized for sure), no_packets (the same, where packets can't be seen), contradicted (its "
    "records seemed to leave through two sockets), no_address (no TCP socket, gone before it could be looked at, or not ours to look at).",
)
RING_FILL = Metric(name="podtab_capture_ring_fill_bytes", kind="gauge", help="Bytes waiting in the ring buffer.")
RING_SIZE = Metric(name="podtab_capture_ring_size_bytes", kind="gauge", help="Size of the ring buffer.")
LIBRARIES = Metric(
    name="podtab_capture_libraries",
    kind="gauge",
    labels=("state",),
    help="TLS libraries and programs in use: probed, or failed (podtab doctor says why); one that is only noticed is neither.",
)
FILES = Metric(
    name="podtab_capture_files",
    kind="counter",
    labels=("verdict",),
    help="Files that processes execute, each judged once: tls, without_tls; other_format (no 64-bit ELF file); damaged, and too_dear, given up after 4 s of a processor, whose processes are told as cannot_decrypt; "
    "not_opened; not_searched, for stacks without symbols, because it is larger than 512 MB; left_out, of processes that execute more than 1,024 files, or whose files take more than 10 s of a processor.",
)
NEWS_LOST = Metric(
    name="podtab_capture_process_news_lost",
    kind="counter",
    help="Starts and ends of processes, and mappings of code, that the agent had no time to look at; within seconds it compares with /proc, so a process that lived shorter is not seen.",
)
SITES = Metric(
    name="podtab_capture_sites",
    kind="gauge",
    labels=("speed",),
    help="Probed instructions: emulated by the kernel, or single-stepped, which is slow.",
)
LINK_KIND = Metric(
    name="podtab_capture_link_info", kind="gauge", labels=("kind",), help="How probes are attached; always 1."
)
PROCESSES = Metric(name="podtab_capture_processes", kind="gauge", help="Processes known to capture.")
COVERAGE = Metric(
    name="podtab_workload_coverage",
    kind="gauge",
    labels=(*WHO, "reason"),
    help="Processes that use TLS, by how far their calls can be read: readable, cannot_decrypt (no probe on its library, or signs of a stack that nobody can read), missed_start "
    "(holds a connection opened before the probe), bytes_lost (within ten minutes), not_selected. Processes without TLS are not counted.",
)
MODEL_CONNECTIONS = Metric(
    name="podtab_model_connections",
    kind="counter",
    labels=(*WHO, "provider", "outcome"),
    help="TLS connections to known model APIs, whoever opened them and whatever library they use, as their first packet told of them, ten seconds after it: "
    "read (by a probe), not_read (by none; also those on which nothing was asked), unknown (the pod had a connection that was read and whose socket is not known: it may be that one); "
    "read_late: had been counted as one of the last two, and was read after all; untold: the pod opened more than 128 a second, so of these it is not known where they went (provider unknown). "
    "Absent where packets can't be seen.",
)
HELLOS = Metric(
    name="podtab_tls_hellos",
    kind="counter",
    labels=("server",),
    help="Sockets that opened TLS, by the name of the server that they asked for: known (a model API), other, hidden (no model API's, with an encrypted hello inside that may name another), nameless, "
    "cut (none in what was told of it), malformed. No other name is kept. Absent where packets can't be seen.",
)
CONNECTIONS = Metric(name="podtab_open_connections", kind="gauge", help="Connections that the core holds state of.")
API_SERVER = Metric(
    name="podtab_api_server_reachable",
    kind="gauge",
    help="1 while the watch of this node's pods works; 0: pods are named from what is cached. Absent without an API server.",
)
API_ERRORS = Metric(
    name="podtab_api_server_errors",
    kind="counter",
    labels=("reason",),
    help="Failed requests to the API server: unreachable, timeout, tls, credentials (ours can't be read), unauthenticated (401), denied (403), "
    "not_found (an owner that is gone), expired (410, the pods are listed anew), throttled (429), server_error (5xx), bad_answer.",
)
API_REQUESTS = Metric(
    name="podtab_api_server_requests",
    kind="counter",
    labels=("resource",),
    help="Requests to the API server: pod_list, pod_watch, owner, namespace.",
)
POD_CACHE_AGE = Metric(
    name="podtab_api_server_cache_age_seconds",
    kind="gauge",
    help="Since the API server last confirmed this node's pods, by a list, an event or a bookmark (one a minute). Absent before the first list.",
)
UNCERTAIN_NAMES = Metric(
    name="podtab_uncertain_names",
    kind="counter",
    labels=("reason",),
    help="Calls counted under a name that is not certain: pod_late (no object of the pod: workload Unknown), owner_late, owner_denied, owner_gone "
    "(workload derived from names), namespace_late, namespace_denied, namespace_gone (team may be missing), no_api_server (a PodList file).",
)
OTLP_EXPORTED = Metric(
    name="podtab_otlp_exported",
    kind="counter",
    labels=("signal",),
    help="Spans (signal traces) and data points (signal metrics) that the OpenTelemetry collector took. Absent without an export.",
)
OTLP_DROPPED = Metric(
    name="podtab_otlp_dropped",
    kind="counter",
    labels=("signal", "reason"),
    help="What was not exported and will not be: queue_full, shutdown, rejected (by the collector), bug, else why the last try failed.",
)
OTLP_FAILURES = Metric(
    name="podtab_otlp_failed_requests",
    kind="counter",
    labels=("signal", "reason"),
    help="Requests to the collector that failed, also those that a later try made good: unreachable, dns, tls, timeout, headers_file, http_STATUS.",
)
OTLP_QUEUED = Metric(
    name="podtab_otlp_queued", kind="gauge", labels=("signal",), help="Calls that wait to be exported."
)
OTLP_WORKING = Metric(
    name="podtab_otlp_working",
    kind="gauge",
    labels=("signal",),
    help="0 from a failed request until the next that succeeds. Readiness does not depend on it.",
)
HELD_CALLS = Metric(
    name="podtab_held_calls", kind="gauge", help="Calls that wait for their pod to appear at the API server."
)
PRICE_BOOK_TIME = Metric(
    name="podtab_price_book_timestamp_seconds",
    kind="gauge",
    help="When the base price tables were published. Absent where that is not known, as with a file of tables, which bears no date.",
)
BUILD = Metric(
    name="podtab_build_info", kind="gauge", labels=("version", "price_book"), help="Version and price book; always 1."
)

EVENTS = (
    COST,
    CALLS,
    TOKENS,
    TOOL_CALLS,
    UNPRICED_CALLS,
    UNPRICED_TOKENS,
    RETRIES,
    DURATION,
    FIRST_TOKEN,
    LOST_BYTES,
    UNSUPPORTED,
    JUDGED,
    QUARANTINED,
    REMARKS,
)
HEALTH = (
    LIMITED,
    KERNEL_EVENTS,
    PEERS,
    RING_FILL,
    RING_SIZE,
    LIBRARIES,
    FILES,
    NEWS_LOST,
    SITES,
    LINK_KIND,
    PROCESSES,
    COVERAGE,
    MODEL_CONNECTIONS,
    HELLOS,
    CONNECTIONS,
    API_SERVER,
    API_ERRORS,
    API_REQUESTS,
    POD_CACHE_AGE,
    HELD_CALLS,
    UNCERTAIN_NAMES,
    OTLP_EXPORTED,
    OTLP_DROPPED,
    OTLP_FAILURES,
    OTLP_QUEUED,
    OTLP_WORKING,
    PRICE_BOOK_TIME,
    BUILD,
)
