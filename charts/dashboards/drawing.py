"""One panel and its results → HTML: stat, time series, bar gauge, pie and table, in Grafana's dark colours."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from charts.dashboards.queries import Json
from charts.dashboards.results import Series
from charts.dashboards.units import written

PALETTE = (
    "#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#37872D", "#E0B400", "#1F60C4",
    "#C4162A", "#8F3BB8",
)  # fmt: skip
COLOURS = {"green": "#73BF69", "orange": "#FF9830", "red": "#F2495C", "blue": "#6E9FFF", "text": "#ccccdc"}

Answers = Sequence[tuple[str, Sequence[Series]]]
"""For each target: its legend, and what Prometheus answered."""


def draw(panel: Json, answers: Answers, width: int, height: int) -> str:
    """The inside of a panel, ``width`` × ``height`` pixels."""
    kind = {"stat": _stat, "timeseries": _lines, "bargauge": _bars, "piechart": _pie, "table": _table}[panel["type"]]
    if not any(series for _, series in answers):
        return f'<div class="empty">{html.escape(panel["fieldConfig"]["defaults"]["noValue"])}</div>'
    return kind(panel, answers, width, height)


def named(legend: str, series: Series) -> str:
    for label, value in series.labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return html.escape(legend)


def _all(answers: Answers) -> list[tuple[str, Series]]:
    return [(named(legend, one), one) for legend, found in answers for one in found]


def _unit(panel: Json) -> str:
    return str(panel["fieldConfig"]["defaults"].get("unit", "none"))


def _threshold(steps: Sequence[Json], value: float) -> str:
    colour = "text"
    for step in steps:
        if step.get("value") is None or value >= step["value"]:
            colour = step["color"]
    return COLOURS.get(colour, colour)


def _stat(panel: Json, answers: Answers, width: int, height: int) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    ((_, series), *_) = _all(answers)
    value = series.last
    text, colour = written(value, _unit(panel)), _threshold(defaults["thresholds"]["steps"], value)
    for mapping in defaults.get("mappings") or []:
        found = mapping["options"].get(f"{value:g}")
        if found:
            text, colour = found["text"], COLOURS[found["color"]]
    size = min(height * 0.5, width / (len(text) * 0.62), 46)
    return f'<div class="stat" style="color:{colour};font-size:{size:.0f}px">{html.escape(text)}</div>'


# --------------------------------------------------------------------------------------------------------------- time series


def _lines(panel: Json, answers: Answers, width: int, height: int) -> str:
    defaults, unit = panel["fieldConfig"]["defaults"], _unit(panel)
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    series = _all(answers)
    rows = (
        1
        + (sum(len(name) * 6.3 + 30 for name, _ in series) > width)
        + (sum(len(name) * 6.3 + 30 for name, _ in series) > 2 * width)
    )
    left, bottom, plot_h = 62, 28, height - 24 - 19 * rows
    plot_w = width - left - 8
    times = sorted({at for _, one in series for at, _ in one.points})
    start, end = times[0], max(times[-1], times[0] + 1)
    step = min((b - a for a, b in itertools.pairwise(times)), default=1)
    base = dict.fromkeys(times, 0.0)
    shapes = []
    for place, (_, one) in enumerate(series):
        values = {at: value for at, value in one.points if not math.isnan(value)}
        tops = {at: base[at] + value if stacked else value for at, value in values.items()}
        shapes.append((PALETTE[place % len(PALETTE)], tops, dict(base)))
        if stacked:
            base.update(tops)
    highest = max((value for _, tops, _ in shapes for value in tops.values()), default=0.0)
    top = defaults.get("max") or _nice(highest or 1)

    def x(at: float) -> float:
        return left + (at - start) / (end - start) * plot_w

    def y(value: float) -> float:
        return 6 + (1 - value / top) * (plot_h - bottom)

    parts = [*_axes(start, end, top, unit, x, y, left, width, plot_h)]
    for colour, tops, floor in reversed(shapes):
        for run in _runs(tops, step):
            edge = " ".join(f"{x(at):.1f},{y(tops[at]):.1f}" for at in run)
            low = " ".join(f"{x(at):.1f},{y(floor[at] if stacked else 0):.1f}" for at in reversed(run))
            parts.append(f'<polygon points="{edge} {low}" fill="{colour}" fill-opacity="{0.3 if stacked else 0.07}"/>')
            parts.append(f'<polyline points="{edge}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
            if len(run) == 1:
                parts.append(f'<circle cx="{x(run[0]):.1f}" cy="{y(tops[run[0]]):.1f}" r="2" fill="{colour}"/>')
    legend = "".join(
        f'<span><i style="background:{PALETTE[place % len(PALETTE)]}"></i>{name}</span>'
        for place, (name, _) in enumerate(series)
    )
    return f'<svg width="{width}" height="{plot_h}">{"".join(parts)}</svg><div class="legend">{legend}</div>'


def _axes(
    start: float, end: float, top: float, unit: str, x: Any, y: Any, left: int, width: int, height: int
) -> Iterator[str]:
    for quarter in range(5):
        value = top * quarter / 4
        yield f'<line x1="{left}" x2="{width - 8}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>'
        yield f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{html.escape(written(value, unit))}</text>'
    every = next(
        size for size in (60, 300, 900, 1800, 3600, 7200, 14400, 86400) if (end - start) / size <= 8 or size == 86400
    )
    at = math.ceil(start / every) * every
    while at <= end:
        yield f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="6" y2="{y(0):.1f}" class="grid"/>'
        yield f'<text x="{x(at):.1f}" y="{height - 4}" text-anchor="middle">{datetime.fromtimestamp(at, UTC):%H:%M}</text>'
        at += every


def _runs(values: dict[float, float], step: float) -> Iterator[list[float]]:
    """A gap is left open, as in Grafana."""
    run: list[float] = []
    for at in sorted(values):
        if run and at - run[-1] > step * 1.5:
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _nice(value: float) -> float:
    """A top of the axis that divides by four into readable steps."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * size for size in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if power * size >= value * 0.999)


# ---------------------------------------------------------------------------------------------------------- bars, ring, table


def _bars(panel: Json, answers: Answers, _width: int, height: int) -> str:
    series = [one for one in _all(answers) if not math.isnan(one[1].last)]
    most = max(one.last for _, one in series) or 1
    each = min(46, height // max(len(series), 1))
    bar = max(6, min(22, each - 20))
    return "".join(
        f'<div class="bar" style="height:{each}px"><b>{name}</b><div><p style="height:{bar}px;width:{max(one.last / most * 100, 0.4):.1f}%;'
        f'background:{PALETTE[place % len(PALETTE)]}"></p><em style="height:{bar}px"></em></div>'
        f'<u style="color:{PALETTE[place % len(PALETTE)]};line-height:{bar}px">{written(one.last, _unit(panel))}</u></div>'
        for place, (name, one) in enumerate(series)
    )


def _pie(panel: Json, answers: Answers, width: int, height: int) -> str:
    series = [(name, one.last) for name, one in _all(answers) if one.last > 0]
    total = sum(value for _, value in series) or 1
    size = min(width - 20, height - 20 * (len(series) + 1) - 16)
    radius = size / 2
    length = 2 * math.pi * radius * 0.76
    parts, done = [], 0.0
    for place, (_, value) in enumerate(series):
        share = value / total
        parts.append(
            f'<circle cx="{radius}" cy="{radius}" r="{radius * 0.76:.1f}" fill="none" stroke="{PALETTE[place % len(PALETTE)]}" '
            f'stroke-width="{radius * 0.4:.1f}" stroke-dasharray="{max(share * length - 1.5, 0.5):.2f} {length:.2f}" '
            f'stroke-dashoffset="{-done * length:.2f}" transform="rotate(-90 {radius} {radius})"/>'
        )
        done += share
    legend = "".join(
        f'<tr><td><i style="background:{PALETTE[place % len(PALETTE)]}"></i>{name}</td><td>{written(value, _unit(panel))}</td>'
        f"<td>{value / total:.0%}</td></tr>"
        for place, (name, value) in enumerate(series)
    )
    head = "<tr><th></th><th>Value</th><th>Percent</th></tr>"
    return (
        f'<div class="pie"><svg width="{size}" height="{size}">{"".join(parts)}</svg></div>'
        f'<table class="keys">{head}{legend}</table>'
    )


def _table(panel: Json, answers: Answers, _width: int, height: int) -> str:
    """The transformations that our tables use: merge by labels, then order and names of columns."""
    (organize,) = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    names: dict[str, str] = organize["renameByName"]
    ordered_names = sorted(names, key=lambda name: int(organize["indexByName"][name]))
    labels = [name for name in ordered_names if not name.startswith("Value")]
    values = [name for name in ordered_names if name.startswith("Value")]
    cells: dict[tuple[str, ...], dict[str, float]] = {}
    for field, (_, found) in zip(values, answers, strict=True):
        for one in found:
            cells.setdefault(tuple(one.labels.get(label, "") for label in labels), {})[names[field]] = one.last
    sort = panel["options"]["sortBy"][0]["displayName"]
    ordered = sorted(cells.items(), key=lambda row: -row[1].get(sort, -math.inf))[: max(1, (height - 32) // 27)]
    options = {
        one["matcher"]["options"]: {value["id"]: value.get("value") for value in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
    }
    head = "".join(f'<th class="{"right" if name in values else ""}">{names[name]}</th>' for name in [*labels, *values])
    body = []
    for key, row in ordered:
        text = "".join(
            f'<td class="{"link" if "links" in options.get(names[label], {}) else ""}">{html.escape(value)}</td>'
            for label, value in zip(labels, key, strict=True)
        )
        text += "".join(_cell(options[names[name]], names[name], row, cells.values()) for name in values)
        body.append(f"<tr>{text}</tr>")
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _cell(option: Json, name: str, row: dict[str, float], everything: Any) -> str:
    value = row.get(name, math.nan)
    if math.isnan(value):
        return f'<td class="right none">{html.escape(option["noValue"])}</td>'
    text, style = html.escape(written(value, option["unit"])), option.get("custom.cellOptions", {}).get("type")
    if style == "gauge":
        most = max((one.get(name, 0) for one in everything), default=1) or 1
        part = value / most * 100
        return f'<td class="right gauge"><div><p style="width:{part:.1f}%"></p></div><span>{text}</span></td>'
    colour = _threshold(option["thresholds"]["steps"], value) if style == "color-text" else COLOURS["text"]
    return f'<td class="right" style="color:{colour}">{text}</td>'
