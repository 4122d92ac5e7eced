"""The agents themselves: the kernel side, libraries, probes.  The second half of the dashboard in ``capture.py``."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from agent.sinks import metrics
from agent.sinks.metrics import BUILD, KERNEL_EVENTS
from charts.dashboards import panels, promql
from charts.dashboards.frame import Row
from charts.dashboards.panels import BYTES_PER_SECOND, COUNT, PER_SECOND, SHARE, Column, Size, Text
from charts.dashboards.promql import INSTANCE, Scope

SCOPE = Scope((INSTANCE, "namespace"))
NO_AGENT = "No agent answers: is Prometheus scraping podtab?"

_FIGURE = Size(w=4, h=4)

_BYTES_LOST = ("ring_lost_bytes", "uncopied_bytes", "unreadable_bytes")
_BYTES_SEEN = ("captured_bytes", "ignored_bytes", "unselected_bytes")
_TROUBLES = (
    "records_dropped",
    "threads_map_full",
    "connections_map_full",
    "count_unreadable",
    "taken_over_calls",
    "returns_without_entry",
)


def kernel() -> Row:
    return Row(
        title="Kernel side",
        panels=[
            panels.lines(
                Text(
                    title="TLS bytes seen",
                    about="captured: read; ignored: of connections judged not to be AI, dropped in the kernel before any copy; unselected: of pods "
                    "that are not watched.",
                    empty=NO_AGENT,
                ),
                Size(w=8, h=8),
                {"{{event}}": SCOPE.per_second(KERNEL_EVENTS, promql.one_of("event", *_BYTES_SEEN), by=("event",))},
                BYTES_PER_SECOND,
                stacked=True,
            ),
            panels.lines(
                Text(
                    title="TLS bytes lost",
                    about="ring_lost: the ring buffer was full; uncopied: more than one call may copy; unreadable: not in memory. Should be 0.",
                    empty=NO_AGENT,
                ),
                Size(w=8, h=8),
                {"{{event}}": SCOPE.per_second(KERNEL_EVENTS, promql.one_of("event", *_BYTES_LOST), by=("event",))},
                BYTES_PER_SECOND,
            ),
            panels.lines(
                Text(
                    title="Fill of the ring buffer",
                    about="Bytes that wait, as a share of its size, by agent. Near 100 % bytes are lost: raise capture.ring_bytes.",
                    empty=NO_AGENT,
                ),
                Size(w=8, h=8),
                {
                    "{{instance}}": f"{SCOPE.latest(metrics.RING_FILL, by=(INSTANCE,))} / {SCOPE.latest(metrics.RING_SIZE, by=(INSTANCE,))}"
                },
                SHARE,
                top=1,
            ),
            panels.lines(
                Text(
                    title="Kernel events that should be rare",
                    about="A second. Full maps and dropped records lose bytes; calls are taken over, and returns without entry seen, when probes change.",
                    empty=NO_AGENT,
                ),
                Size(w=12, h=8),
                {"{{event}}": SCOPE.per_second(KERNEL_EVENTS, promql.one_of("event", *_TROUBLES), by=("event",))},
                PER_SECOND,
            ),
            panels.lines(
                Text(
                    title="Connections judged, by verdict",
                    about="A second. watch: read on; ignore: not AI, and from then on dropped in the kernel.",
                    empty="No TLS connection was judged in this time range",
                ),
                Size(w=12, h=8),
                {
                    "{{judgement}}: {{reason}}": promql.or_none(
                        SCOPE.per_second(metrics.JUDGED, by=("judgement", "reason")), SCOPE.latest(BUILD), "reason"
                    )
                },
                PER_SECOND,
                stacked=True,
            ),
        ],
    )


def agents() -> Row:
    by = (INSTANCE,)
    known = SCOPE.latest(BUILD, by=by)
    reachable = model.ValueMap(
        options={
            "0": model.ValueMappingResult(text="away", color="red", index=0),
            "1": model.ValueMappingResult(text="reachable", color="green", index=1),
        }
    )
    slow = SCOPE.latest(metrics.SITES, promql.equal("speed", "single_stepped"))
    return Row(
        title="Agents, libraries and probes",
        panels=[
            panels.figure(
                Text(
                    title="Agents",
                    about="That Prometheus reaches now; there should be one for each node.",
                    empty=NO_AGENT,
                ),
                _FIGURE,
                f"count({known})",
                COUNT,
            ),
            panels.figure(
                Text(
                    title="API server",
                    about="Of the agent that fares worst. Away: pods are named from what is cached, and new ones wait.",
                    empty="Not watched: agents name pods without an API server",
                ),
                _FIGURE,
                SCOPE.latest(metrics.API_SERVER, how="min"),
                "none",
                mappings=[reachable],
            ),
            panels.figure(
                Text(
                    title="Libraries that failed",
                    about="TLS libraries in use that could not be probed: calls through them are not seen. podtab doctor says why.",
                    empty=NO_AGENT,
                ),
                _FIGURE,
                SCOPE.latest(metrics.LIBRARIES, promql.equal("state", "failed")),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.figure(
                Text(
                    title="Slow sites",
                    about="Share of probed instructions that the kernel single-steps, which costs the watched process time.",
                    empty="No library is probed",
                ),
                _FIGURE,
                f"{slow} / {promql.above_zero(SCOPE.latest(metrics.SITES))}",
                SHARE,
                steps=((None, "green"), (0.25, "orange")),
            ),
            panels.figure(
                Text(
                    title="Connections given up",
                    about="protocol_error, bug, memory or too_many: their calls were not read to the end.",
                    empty=NO_AGENT,
                ),
                _FIGURE,
                promql.or_zero(SCOPE.grown(metrics.QUARANTINED), SCOPE.latest(BUILD)),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.figure(
                Text(
                    title="Values counted under “other”",
                    about="Label values past their limit (metrics.max_…): money is not lost, its name is.",
                    empty=NO_AGENT,
                ),
                _FIGURE,
                promql.or_zero(SCOPE.grown(metrics.LIMITED), SCOPE.latest(BUILD)),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.rows(
                Text(
                    title="Agents side by side",
                    about="One row for each agent, as Prometheus names it.",
                    empty=NO_AGENT,
                ),
                Size(w=10, h=7),
                {INSTANCE: "Agent"},
                [
                    Column(name="Libraries", unit=COUNT, expr=SCOPE.latest(metrics.LIBRARIES, by=by)),
                    Column(
                        name="failed",
                        unit=COUNT,
                        style="bad",
                        expr=SCOPE.latest(metrics.LIBRARIES, promql.equal("state", "failed"), by=by),
                    ),
                    Column(name="Processes", unit=COUNT, expr=SCOPE.latest(metrics.PROCESSES, by=by)),
                    Column(name="Connections", unit=COUNT, expr=SCOPE.latest(metrics.CONNECTIONS, by=by)),
                ],
                sort="Processes",
            ),
            panels.rows(
                Text(
                    title="Versions and price books",
                    about="More than one of either: an update is under way, or stuck.",
                    empty=NO_AGENT,
                ),
                Size(w=6, h=7),
                {"version": "Version", "price_book": "Price book"},
                [Column(name="Agents", unit=COUNT, expr=SCOPE.latest(BUILD, by=("version", "price_book")))],
                sort="Agents",
            ),
            panels.lines(
                Text(
                    title="Processes, connections, held calls",
                    about="Processes known to capture; connections that are read; calls that wait for their pod to appear at the API server.",
                    empty=NO_AGENT,
                ),
                Size(w=8, h=7),
                {
                    "processes": SCOPE.latest(metrics.PROCESSES),
                    "connections": SCOPE.latest(metrics.CONNECTIONS),
                    "held calls": SCOPE.latest(metrics.HELD_CALLS),
                },
                COUNT,
            ),
        ],
    )
