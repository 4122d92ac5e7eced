"""
Figures per pod (or workload, namespace, team, model), out of pages of metrics.  Pure.

What is not known is None, never 0: a pod whose calls have no price has no cost, and a single page has no rates.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from agent.model import Evidence, Outcome
from agent.sinks.limits import clean

_OUTPUT_TYPES = frozenset({"output", "reasoning", "output_audio", "output_image"})
# Errors: nothing was served, so there is nothing to price.
_FREE = ("not_billed", "via_gateway")
# What the kernel side saw and could not hand over; ignored and unselected bytes are not missed.
_LOSSES = frozenset({"ring_lost_bytes", "uncopied_bytes", "unreadable_bytes"})


class By(enum.StrEnum):
    """What one row of figures is about."""

    POD = "pod"
    WORKLOAD = "workload"
    NAMESPACE = "namespace"
    TEAM = "team"
    MODEL = "model"


class PageError(ValueError):
    """Not a page of ours.  The message says what it is instead."""


@dataclass(slots=True, kw_only=True)
class Pod:
    """Sums since the agent started to watch it: of a pod, or of whatever else figures are asked by."""

    namespace: str
    """"" where a row spans namespaces: by namespace (it is the name then), team and model."""
    name: str
    """Of the pod; of the workload where there is no pod.  By model: provider/model.  "" for calls without a team."""
    workload: str
    """Kind/name; "" where a row spans workloads."""
    calls: int = 0
    errors: int = 0
    """Calls with another outcome than ok."""
    evidenced: int = 0
    """Calls that were served, so that evidence of their usage is due."""
    reported: int = 0
    """Those of which the provider's own final count was read."""
    input_tokens: int = 0
    """Without what came from a cache."""
    cached_tokens: int = 0
    output_tokens: int = 0
    """With reasoning."""
    priced_usd: float | None = None
    """Cost of the calls that have a price; None where none has."""
    unpriced: dict[str, int] = field(default_factory=dict)
    """Reason → calls without a known price.  Errors, which cost nothing, are not among them."""
    durations: dict[float, float] = field(default_factory=dict)
    """Upper bound in seconds → calls that took at most that long."""

    @property
    def unpriced_calls(self) -> int:
        return sum(self.unpriced.values())

    @property
    def cost_usd(self) -> float | None:
        """At least this was spent: see ``unpriced_calls``.  None: not known.  0: only calls that cost nothing."""
        if self.priced_usd is None and not self.unpriced_calls:
            return 0.0
        return self.priced_usd

    @property
    def tokens_known(self) -> bool:
        """False where every call left its usage unsaid: the counts are then not 0, but nobody's to tell."""
        return bool(
            self.input_tokens or self.cached_tokens or self.output_tokens or self.reported or not self.evidenced
        )

    @property
    def evidence_share(self) -> float | None:
        return self.reported / self.evidenced if self.evidenced else None

    @property
    def p50_seconds(self) -> float | None:
        return _median(self.durations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    at_seconds: float
    """Of any clock that never goes back."""
    pods: Mapping[tuple[str, str, str], Pod]
    """By namespace, name and workload."""
    lost_bytes: int | None
    """Bytes that the kernel side saw and could not hand over; None where the page does not say."""
    api_server: bool | None
    """Whether pods are named from a live watch; None without an API server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    calls_per_minute: float
    usd_per_hour: float | None


def read(page: str, at_seconds: float, *, by: By = By.POD, namespace: str = "") -> Snapshot:
    """The figures of one page, of one namespace or ("") of all."""
    pods: dict[tuple[str, str, str], Pod] = {}
    lost_bytes: int | None = None
    api_server: bool | None = None
    try:
        families = list(text_string_to_metric_families("\n".join(_needed(page, by, namespace))))
    except (ValueError, KeyError, IndexError):
        raise PageError("is not a page of metrics") from None
    for family in families:
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "podtab_capture_kernel_events_total" and labels.get("event") in _LOSSES:
                lost_bytes = (lost_bytes or 0) + int(sample.value)
            elif sample.name == "podtab_api_server_reachable":
                api_server = sample.value > 0
            elif namespace and labels.get("namespace", "") != namespace:
                continue
            elif sample.name in _READERS and "workload" in labels and math.isfinite(sample.value):
                _READERS[sample.name](_pod(pods, labels, by), labels, sample.value)
    if "podtab_" not in page:
        raise PageError("is a page of metrics, but not podtab's")
    return Snapshot(at_seconds=at_seconds, pods=pods, lost_bytes=lost_bytes, api_server=api_server)


def merge(pages: Sequence[Snapshot]) -> Snapshot:
    """The pages of several agents as one.  What only some of them know is summed over those."""
    lost = [page.lost_bytes for page in pages if page.lost_bytes is not None]
    watches = [page.api_server for page in pages if page.api_server is not None]
    pods: dict[tuple[str, str, str], Pod] = {}
    for page in pages:
        for key, pod in page.pods.items():
            if key not in pods:
                pods[key] = Pod(namespace=pod.namespace, name=pod.name, workload=pod.workload)
            _add(pods[key], pod)
    return Snapshot(
        at_seconds=max((page.at_seconds for page in pages), default=0.0),
        pods=pods,
        lost_bytes=sum(lost) if lost else None,
        api_server=all(watches) if watches else None,
    )


def rates(before: Snapshot, now: Snapshot) -> Mapping[tuple[str, str, str], Rate]:
    """What happened between two pages.  Empty where nothing can be said: no time passed, or the agent began anew."""
    seconds = now.at_seconds - before.at_seconds
    if seconds <= 0 or restarted(before, now):
        return {}
    found = {}
    for key, pod in now.pods.items():
        # A pod that was not on the page yet had 0 of everything.
        old = before.pods.get(key)
        calls = pod.calls - (old.calls if old else 0)
        spent = (pod.priced_usd or 0.0) - ((old.priced_usd or 0.0) if old else 0.0)
        unknown = pod.unpriced_calls - (old.unpriced_calls if old else 0)
        found[key] = Rate(
            calls_per_minute=calls * 60 / seconds,
            usd_per_hour=None if unknown and not spent else max(spent, 0.0) * 3600 / seconds,
        )
    return found


def restarted(before: Snapshot, now: Snapshot) -> bool:
    """Counters only rise while the agent lives."""
    return any(key in now.pods and now.pods[key].calls < pod.calls for key, pod in before.pods.items())


def total(pods: Iterable[Pod]) -> Pod:
    """The sum of all pods, nameless."""
    whole = Pod(namespace="", name="", workload="")
    for pod in pods:
        _add(whole, pod)
    return whole


def _add(whole: Pod, pod: Pod) -> None:
    whole.calls += pod.calls
    whole.errors += pod.errors
    whole.evidenced += pod.evidenced
    whole.reported += pod.reported
    whole.input_tokens += pod.input_tokens
    whole.cached_tokens += pod.cached_tokens
    whole.output_tokens += pod.output_tokens
    for reason, calls in pod.unpriced.items():
        whole.unpriced[reason] = whole.unpriced.get(reason, 0) + calls
    if pod.priced_usd is not None:
        whole.priced_usd = (whole.priced_usd or 0.0) + pod.priced_usd
    for bound, count in pod.durations.items():
        whole.durations[bound] = whole.durations.get(bound, 0.0) + count


def total_rate(found: Sequence[Rate]) -> Rate | None:
    if not found:
        return None
    known = [rate.usd_per_hour for rate in found if rate.usd_per_hour is not None]
    return Rate(
        calls_per_minute=sum(rate.calls_per_minute for rate in found), usd_per_hour=sum(known) if known else None
    )


# ---------------------------------------------------------------------------------------------------------------- samples


def _needed(page: str, by: By, namespace: str) -> Iterable[str]:
    """The lines that are read: parsing a line costs a hundred times more than looking at its beginning."""
    names = (*(name for name in _READERS if by is not By.TEAM or not name.endswith("_bucket")), *_HEALTH)
    # A name of Kubernetes needs no escaping; any other is compared after parsing only.
    mark = f'namespace="{namespace}"' if namespace.replace("-", "").isalnum() else ""
    for line in page.split("\n"):
        if not line.startswith("podtab_") or (line.startswith(names) and (mark in line or line.startswith(_HEALTH))):
            yield line


def _pod(pods: dict[tuple[str, str, str], Pod], labels: Mapping[str, str], by: By) -> Pod:
    workload = clean(f"{labels.get('workload_kind', '')}/{labels['workload']}")
    namespace, pod = clean(labels.get("namespace", "")), clean(labels.get("pod", ""))
    match by:
        case By.POD:
            key = (namespace, pod, workload)
        case By.WORKLOAD:
            key = (namespace, clean(labels["workload"]), workload)
        case By.NAMESPACE:
            key = ("", namespace, "")
        case By.TEAM:
            key = ("", clean(labels.get("team", "")), "")
        case By.MODEL:
            key = ("", clean(f"{labels.get('provider', '')}/{labels.get('model', '')}"), "")
    row = pods.get(key)
    if row is None:
        name = key[1] or (clean(labels["workload"]) if by is By.POD else "")
        row = pods[key] = Pod(namespace=key[0], name=name, workload=key[2])
    return row


def _calls(pod: Pod, labels: Mapping[str, str], value: float) -> None:
    number, evidence = int(value), labels.get("evidence")
    pod.calls += number
    if labels.get("outcome") != Outcome.OK:
        pod.errors += number
    if evidence != Evidence.NOT_APPLICABLE:
        pod.evidenced += number
    if evidence == Evidence.REPORTED:
        pod.reported += number


def _cost(pod: Pod, _labels: Mapping[str, str], value: float) -> None:
    pod.priced_usd = (pod.priced_usd or 0.0) + value


def _tokens(pod: Pod, labels: Mapping[str, str], value: float) -> None:
    kind = labels.get("type", "")
    if kind == "cache_read":
        pod.cached_tokens += int(value)
    elif kind in _OUTPUT_TYPES:
        pod.output_tokens += int(value)
    else:
        pod.input_tokens += int(value)


def _unpriced(pod: Pod, labels: Mapping[str, str], value: float) -> None:
    reason = clean(labels.get("reason", ""))
    if reason not in _FREE and value:
        pod.unpriced[reason] = pod.unpriced.get(reason, 0) + int(value)


def _duration(pod: Pod, labels: Mapping[str, str], value: float) -> None:
    try:
        bound = float(labels.get("le", ""))
    except ValueError:
        return
    pod.durations[bound] = pod.durations.get(bound, 0.0) + value


_READERS = {
    "podtab_calls_total": _calls,
    "podtab_cost_usd_total": _cost,
    "podtab_tokens_total": _tokens,
    "podtab_unpriced_calls_total": _unpriced,
    "podtab_call_duration_seconds_bucket": _duration,
}

_HEALTH = ("podtab_capture_kernel_events_total", "podtab_api_server_reachable")


def _median(durations: Mapping[float, float]) -> float | None:
    """As Prometheus' histogram_quantile: linear within a bucket; beyond the last bound, infinity."""
    bounds = sorted(durations)
    if not bounds or durations[bounds[-1]] <= 0:
        return None
    wanted = durations[bounds[-1]] / 2
    below, lower = 0.0, 0.0
    for bound in bounds:
        count = durations[bound]
        if count >= wanted:
            if math.isinf(bound):
                return bound
            return lower + (bound - lower) * (wanted - below) / (count - below)
        below, lower = count, bound
    return None
