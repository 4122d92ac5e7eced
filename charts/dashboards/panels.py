"""
Panels in one look: what a kind of panel has in common is said once, here.

Every panel has a description (what the figure is and is not), a unit, and words for when there is nothing: "No data" would leave
the reader to guess whether nothing was spent or nothing was seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, common, piechart, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import piechart as pie_options
from grafana_foundation_sdk.models import prometheus as query_options

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

DOLLARS = "currencyUSD"
COUNT = "short"
SHARE = "percentunit"
SECONDS = "s"
BYTES = "bytes"
BYTES_PER_SECOND = "Bps"
PER_SECOND = "cps"

Panel = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel | piechart.Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a person reads of a panel."""

    title: str
    about: str
    """The description: what the figure is, and what is not in it."""
    empty: str
    """Where there is nothing to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """In cells of Grafana's grid, which is 24 wide."""

    w: int
    h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A value column of a table."""

    name: str
    expr: str
    unit: str
    empty: str = "–"
    """In cells without a value."""
    style: str = ""
    """``bar``: a bar in the cell; ``sign``: red above 0, green below; ``bad``: orange above 0, or above 1 %."""


Steps = Sequence[tuple[float | None, str]]
NEUTRAL: Steps = ((None, "blue"),)
BAD_SHARE: Steps = ((None, "green"), (0.01, "orange"))
BAD_ABOVE_ZERO: Steps = ((None, "green"), (1e-9, "orange"))


def _target(expr: str, legend: str, ref: str, *, instant: bool, as_table: bool = False) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).expr(expr).legend_format(legend).ref_id(ref)
    target = target.instant() if instant else target.range()
    kind = query_options.PromQueryFormat.TABLE if as_table else query_options.PromQueryFormat.TIME_SERIES
    return target.format(kind)


def _targets(queries: Mapping[str, str], *, instant: bool) -> list[Builder[Dataquery]]:
    """``queries``: legend → expression."""
    return [
        _target(expr, legend, chr(ord("A") + place), instant=instant)
        for place, (legend, expr) in enumerate(queries.items())
    ]


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    return build.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


def _colour(mode: model.FieldColorModeId) -> build.FieldColor:
    return build.FieldColor().mode(mode)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def link(title: str, uid: str, *labels: str, source: str = "__field.labels", **fixed: str) -> build.DashboardLink:
    """To another dashboard, with its variables set by the labels of what was clicked, the same time and the same data source."""
    chosen = [f"var-{label}=${{{source}.{label}}}" for label in labels] + [f"var-{k}={v}" for k, v in fixed.items()]
    url = "&".join(["${datasource:queryparam}", "${__url_time_range}", *chosen])
    return build.DashboardLink(title).url(f"/d/{uid}?{url}")


def figure(
    text: Text,
    size: Size,
    expr: str,
    unit: str,
    *,
    steps: Steps = NEUTRAL,
    since: str = "",
    links: Sequence[build.DashboardLink] = (),
    legend: str = "",
    mappings: Sequence[model.ValueMapping] = (),
) -> stat.Panel:
    """One number.  ``since`` replaces the time shown: ``1h``, ``now/d`` (today), ``now/M`` (this month)."""
    panel = (
        stat.Panel()
        .title(text.title)
        .description(text.about)
        .no_value(text.empty)
        .datasource(DATASOURCE)
        .span(size.w)
        .height(size.h)
        .targets(_targets({legend or text.title: expr}, instant=True))
        .unit(unit)
        .thresholds(_thresholds(steps))
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(_last())
        .graph_mode(options.BigValueGraphMode.NONE)
        .color_mode(options.BigValueColorMode.VALUE)
        .text_mode(options.BigValueTextMode.VALUE)
        .data_links(list(links))
    )
    if mappings:
        panel.mappings(list(mappings))
    if since:
        panel.time_from(since)
    return panel


def lines(
    text: Text,
    size: Size,
    queries: Mapping[str, str],
    unit: str,
    *,
    stacked: bool = False,
    links: Sequence[build.DashboardLink] = (),
    top: float | None = None,
) -> timeseries.Panel:
    """Over time; ``queries``: legend → expression."""
    panel = (
        timeseries.Panel()
        .title(text.title)
        .description(text.about)
        .no_value(text.empty)
        .datasource(DATASOURCE)
        .span(size.w)
        .height(size.h)
        .targets(_targets(queries, instant=False))
        .unit(unit)
        .min(0)
        .color_scheme(_colour(model.FieldColorModeId.PALETTE_CLASSIC))
        .legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(35 if stacked else 8)
        .show_points(options.VisibilityMode.AUTO)
        .data_links(list(links))
    )
    if top is not None:
        panel.max(top)
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    return panel


def bars(
    text: Text, size: Size, expr: str, legend: str, unit: str, *, links: Sequence[build.DashboardLink] = ()
) -> bargauge.Panel:
    """One horizontal bar a series."""
    return (
        bargauge.Panel()
        .title(text.title)
        .description(text.about)
        .no_value(text.empty)
        .datasource(DATASOURCE)
        .span(size.w)
        .height(size.h)
        .targets(_targets({legend: expr}, instant=True))
        .unit(unit)
        .min(0)
        .thresholds(_thresholds(NEUTRAL))
        .color_scheme(_colour(model.FieldColorModeId.PALETTE_CLASSIC))
        .reduce_options(_last())
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .name_placement(options.BarGaugeNamePlacement.TOP)
        .value_mode(options.BarGaugeValueMode.TEXT)
        .show_unfilled(True)
        .min_viz_height(14)
        .max_viz_height(24)
        .data_links(list(links))
    )


def shares(
    text: Text, size: Size, expr: str, legend: str, unit: str, *, links: Sequence[build.DashboardLink] = ()
) -> piechart.Panel:
    """A ring of parts of a whole."""
    return (
        piechart.Panel()
        .title(text.title)
        .description(text.about)
        .no_value(text.empty)
        .datasource(DATASOURCE)
        .span(size.w)
        .height(size.h)
        .targets(_targets({legend: expr}, instant=True))
        .unit(unit)
        .color_scheme(_colour(model.FieldColorModeId.PALETTE_CLASSIC))
        .reduce_options(_last())
        .pie_type(pie_options.PieChartType.DONUT)
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(options.LegendDisplayMode.TABLE)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(True)
            .values([pie_options.PieChartLegendValues.VALUE, pie_options.PieChartLegendValues.PERCENT])
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE))
        .data_links(list(links))
    )


def rows(
    text: Text,
    size: Size,
    labels: Mapping[str, str],
    columns: Sequence[Column],
    *,
    sort: str,
    links: Mapping[str, build.DashboardLink] | None = None,
) -> table.Panel:
    """A table: one row for each set of ``labels`` (label → heading), one value column for each query."""
    refs = [chr(ord("A") + place) for place in range(len(columns))]
    # One query's column is `Value`; merged, Grafana adds the query's letter.
    fields = [f"Value #{ref}" if len(columns) > 1 else "Value" for ref in refs]
    names = dict(labels) | dict(zip(fields, [column.name for column in columns], strict=True))
    order = {name: place for place, name in enumerate(names)}
    panel = (
        table.Panel()
        .title(text.title)
        .description(text.about)
        .no_value(text.empty)
        .datasource(DATASOURCE)
        .span(size.w)
        .height(size.h)
        .targets(
            [
                _target(column.expr, column.name, ref, instant=True, as_table=True)
                for column, ref in zip(columns, refs, strict=True)
            ]
        )
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names},
            )
        )
        .thresholds(_thresholds(NEUTRAL))
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
        .show_header(True)
        .cell_height(options.TableCellHeight.SM)
        .unit(columns[0].unit)
    )
    for column in columns:
        panel.override_by_name(column.name, _column(column))
    for heading, target in (links or {}).items():
        panel.override_by_name(heading, [_value("links", [target.build().to_json()])])
    return panel


def _column(column: Column) -> list[model.DynamicConfigValue]:
    values = [_value("unit", column.unit), _value("noValue", column.empty), _value("custom.align", "right")]
    if column.style == "bar":
        values += [
            _value("custom.cellOptions", {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}),
            _value("min", 0),
        ]
    elif column.style:
        steps = {"sign": ((None, "green"), (0, "red")), "bad": BAD_SHARE if column.unit == SHARE else BAD_ABOVE_ZERO}[
            column.style
        ]
        values += [
            _value("custom.cellOptions", {"type": "color-text"}),
            _value("thresholds", {"mode": "absolute", "steps": [{"value": value, "color": c} for value, c in steps]}),
        ]
    return values


def _value(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)
