"""Pictures: values as Grafana writes them, panels from results."""

from __future__ import annotations

import math

import pytest

from charts.dashboards.drawing import draw
from charts.dashboards.results import Series, duration, range_of
from charts.dashboards.units import written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "currencyUSD", "$0"),
        (0.000614, "currencyUSD", "$0.000614"),
        (12.5, "currencyUSD", "$12.5"),
        (-1234.5, "currencyUSD", "-$1.23K"),
        (0.145, "percentunit", "14.5%"),
        (0.25, "s", "250 ms"),
        (90, "s", "1.5 mins"),
        (2048, "bytes", "2 KiB"),
        (17_800, "short", "17.8 K"),
        (math.nan, "short", "NaN"),
    ],
)
def test_values_are_written_as_grafana_does(value: float, unit: str, text: str) -> None:
    """Three figures that count, scaled by the unit's own steps."""
    assert written(value, unit) == text


def test_a_panels_own_range_is_in_utc() -> None:
    """Today begins at midnight, the month on its first day; else the panel's words, else the dashboard's."""
    at = 1_795_192_200.0  # 2026-11-20 16:30
    assert range_of("now/d", at=at, default=1) == 16.5 * 3600
    assert range_of("now/M", at=at, default=1) == 19 * 86400 + 16.5 * 3600
    assert range_of("1h", at=at, default=1) == 3600
    assert range_of("", at=at, default=1) == 1
    assert duration("6h") == 6 * 3600


STAT = {
    "type": "stat",
    "fieldConfig": {
        "defaults": {
            "unit": "currencyUSD",
            "noValue": "Nothing <yet>",
            "thresholds": {"steps": [{"color": "green"}, {"value": 5, "color": "red"}]},
        }
    },
}


def test_an_empty_panel_says_why() -> None:
    """Its own words, escaped."""
    assert "Nothing &lt;yet&gt;" in draw(STAT, [("cost", [])], 200, 80)


def test_a_figure_takes_the_colour_of_its_threshold() -> None:
    """The last step that the value reaches."""
    low = draw(STAT, [("cost", [Series(labels={}, points=((0, 4.0),))])], 200, 80)
    high = draw(STAT, [("cost", [Series(labels={}, points=((0, 6.0),))])], 200, 80)
    assert "$4" in low
    assert "#73BF69" in low
    assert "#F2495C" in high


def test_labels_are_escaped() -> None:
    """A workload's name is its owner's to choose."""
    panel = {"type": "bargauge", "fieldConfig": {"defaults": {"unit": "short", "noValue": "-"}}}
    text = draw(panel, [("{{workload}}", [Series(labels={"workload": "<script>"}, points=((0, 1.0),))])], 200, 200)
    assert "<script>" not in text
