"""Figures as people read them: money, numbers, durations, shares, names of kinds."""

from __future__ import annotations

import math

BAR_WIDTH = 8
_MAX_TEXT = 500
# As kubectl abbreviates them.
_SHORT_KINDS = {
    "CronJob": "cj",
    "DaemonSet": "ds",
    "Deployment": "deploy",
    "Job": "job",
    "Pod": "pod",
    "StatefulSet": "sts",
    "SystemdUnit": "unit",
    "Process": "process",
}
_EIGHTHS = " ▏▎▍▌▋▊▉"


def plain(value: object, limit: int = _MAX_TEXT) -> str:
    """Bounded and printable: pods, nodes and servers write these, and a terminal obeys control characters."""
    text = str(value)[:limit]
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in text)


def usd(amount_usd: float) -> str:
    """Cents from a dollar on, else four digits that say something."""
    if amount_usd == 0:
        return "$0"
    if amount_usd >= 1:
        return f"${amount_usd:,.2f}"
    if amount_usd < 0.000001:
        return "<$0.000001"
    return f"${amount_usd:.{min(6, 3 - math.floor(math.log10(amount_usd)))}f}"


def amount(known_usd: float | None, *, unpriced: int) -> str:
    """``≥``: calls without a price are not in it."""
    if known_usd is None:
        return "unpriced"
    return f"≥{usd(known_usd)}" if unpriced else usd(known_usd)


def number(count: float) -> str:
    """1234 → 1,234; 12345 → 12.3k."""
    if count < 10_000:
        return f"{count:,.0f}"
    for limit, unit in ((1e6, "k"), (1e9, "M"), (1e12, "G")):
        if count < limit * 0.9995:
            scaled = count / (limit / 1000)
            return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{count / 1e12:,.1f}T"


def plural(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def seconds(duration: float | None) -> str:
    if duration is None:
        return "?"
    if math.isinf(duration):
        return ">82s"
    if duration < 0.995:
        return f"{duration * 1000:.0f}ms"
    return f"{duration:.1f}s" if duration < 9.95 else f"{duration:.0f}s"


def short(workload: str) -> str:
    """Kind/name as kubectl abbreviates it."""
    kind, slash, name = workload.partition("/")
    return _SHORT_KINDS.get(kind, kind) + slash + name


def percent(share: float | None) -> str:
    """Cut, not rounded: 100 % means all."""
    return "–" if share is None else f"{math.floor(share * 100)}%"


def bar(share: float | None) -> str:
    if not share:
        return ""
    eighths = max(1, round(share * BAR_WIDTH * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
