"""
``python -m charts.dashboards.picture``: a PNG of each dashboard, from its own JSON and what a Prometheus answers to its queries.

It is drawn by us, in Grafana's manner; it is not Grafana.  The shot is headless Chromium's (Debian: chromium), made
small by pngquant where there is one.
"""

from __future__ import annotations

import argparse
import html
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from charts.dashboards.__main__ import FOLDER
from charts.dashboards.drawing import draw
from charts.dashboards.queries import Json, targets
from charts.dashboards.results import Prometheus, duration, range_of

WIDTH = 1640
CELL, GAP, TOP = 30, 8, 96
"""Grafana's grid: a row of cells is 30 pixels high, with gaps of 8."""

_STYLE = """
* { box-sizing: border-box; margin: 0; padding: 0 }
body { background: #111217; color: #ccccdc; font: 12px Inter, Roboto, 'DejaVu Sans', sans-serif; position: relative }
header { padding: 12px 16px 0 } header h1 { font-size: 18px; font-weight: 500; display: inline } header time { float: right; color: #9d9fab }
header nav { margin-top: 10px } nav span { display: inline-block; background: #181b1f; border: 1px solid #2c3036; border-radius: 2px; margin-right: 8px; padding: 4px 10px }
nav span b { color: #6E9FFF; font-weight: 500; margin-right: 8px } nav .go { float: right; margin: 0 0 0 8px }
section { position: absolute; background: #181b1f; border: 1px solid #26292e; border-radius: 2px; overflow: hidden }
section h2 { font-size: 13px; font-weight: 500; height: 30px; line-height: 30px; padding: 0 8px; white-space: nowrap } h2 small { color: #6E9FFF; font-weight: 400; margin-left: 6px }
.inside { padding: 0 8px } .row { position: absolute; font-size: 15px; font-weight: 500; line-height: 30px; padding-left: 10px }
.stat { display: flex; align-items: center; justify-content: center; font-weight: 600; height: 76px; white-space: nowrap }
.empty { display: flex; align-items: center; justify-content: center; height: 90%; color: #9d9fab; text-align: center; padding: 6px }
svg text { fill: #9d9fab; font-size: 11px } .grid { stroke: #ccccdc; stroke-opacity: .08 }
.legend span { display: inline-block; margin-right: 14px; line-height: 19px; white-space: nowrap } i { display: inline-block; width: 13px; height: 4px; border-radius: 2px; margin-right: 5px; vertical-align: middle }
.bar b { font-weight: 400; display: block; height: 17px; white-space: nowrap } .bar { position: relative } .bar div { position: relative; margin-right: 78px }
.bar p { position: absolute; z-index: 1; border-radius: 2px; opacity: .85 } .bar em { position: absolute; width: 100%; background: #22252b; border-radius: 2px }
.bar u { position: absolute; right: 0; top: 17px; text-decoration: none; font-weight: 500 }
.pie { text-align: center; padding-bottom: 8px } .pie svg { overflow: visible } table { border-collapse: collapse; width: 100% } .keys td, .keys th { line-height: 20px; text-align: right; font-weight: 400; color: #ccccdc }
.keys td:first-child { text-align: left } .keys th { color: #6E9FFF } .rows th { text-align: left; color: #6E9FFF; font-weight: 500; line-height: 30px; border-bottom: 1px solid #2c3036; padding: 0 6px; white-space: nowrap }
.rows td { line-height: 26px; border-bottom: 1px solid #212429; padding: 0 6px; white-space: nowrap } .rows .right { text-align: right } .rows .none { color: #7b7d88 } .link { color: #6E9FFF }
.gauge { min-width: 130px } .gauge div { float: left; width: calc(100% - 66px); background: #22252b; margin-top: 5px } .gauge p { height: 16px; background: #5794F2; opacity: .8 }
"""


def page(dashboard: Json, prometheus: Prometheus, *, at: float, scrape: float) -> tuple[str, int]:
    """The dashboard as HTML, and how high it is."""
    shown = duration(dashboard["time"]["from"].removeprefix("now-"))
    unit = (WIDTH - 2 * GAP) / 24
    parts, bottom = [_header(dashboard, at)], 0
    for panel in dashboard["panels"]:
        grid = {"x": 0, "y": 0, **panel["gridPos"]}
        left, top = GAP + grid["x"] * unit, TOP + grid["y"] * (CELL + GAP)
        wide, high = grid["w"] * unit - GAP, grid["h"] * (CELL + GAP) - GAP
        bottom = max(bottom, round(top + high))
        place = f"left:{left:.0f}px;top:{top}px;width:{wide:.0f}px;height:{high}px"
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="{place}">⌄ {html.escape(panel["title"])}</div>')
            continue
        inside = _inside(
            dashboard, panel, prometheus, at=at, shown=shown, scrape=scrape, size=(round(wide) - 18, high - 36)
        )
        since = f"<small>{_SINCE.get(panel['timeFrom'], panel['timeFrom'])}</small>" if panel.get("timeFrom") else ""
        parts.append(
            f'<section style="{place}"><h2>{html.escape(panel["title"])}{since}</h2><div class="inside">{inside}</div></section>'
        )
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><body>{''.join(parts)}</body>", bottom + GAP


_SINCE = {"1h": "Last 1 hour", "now/d": "Today so far", "now/M": "This month so far"}


def _header(dashboard: Json, at: float) -> str:
    variables = "".join(
        f"<span><b>{html.escape(one['label'])}</b>{'Prometheus' if one['type'] == 'datasource' else 'All'}</span>"
        for one in dashboard["templating"]["list"]
    )
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
    return (
        f"<header><time>◷ {html.escape(dashboard['time']['from'])} to {when} UTC</time><h1>{html.escape(dashboard['title'])}</h1>"
        f'<nav>{variables}<span class="go">☰ AI cost ▾</span></nav></header>'
    )


def _inside(
    dashboard: Json,
    panel: Json,
    prometheus: Prometheus,
    *,
    at: float,
    shown: float,
    scrape: float,
    size: tuple[int, int],
) -> str:
    seconds = range_of(panel.get("timeFrom", ""), at=at, default=shown)
    step = max(scrape, round(seconds / 180))
    variables = {"__range": f"{seconds:.0f}s", "__rate_interval": f"{max(step + scrape, 4 * scrape):.0f}s"}
    one = {**dashboard, "panels": [panel]}
    answers = [
        (query.legend, prometheus.evaluate(query, at=at, seconds=seconds, step=step))
        for query in targets(one, variables)
    ]
    return draw(panel, answers, *size)


def shoot(text: str, height: int, file: Path) -> None:
    """HTML → PNG."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("picture: needs chromium (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(text, encoding="utf-8")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},{height}", f"--screenshot={file.resolve()}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    pngquant = shutil.which("pngquant")
    if pngquant is not None:
        # 128 colours are plenty for flat ones, and a repository keeps every version of a picture for ever.
        subprocess.run([pngquant, "--force", "--strip", "--output", str(file), "128", str(file)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw every dashboard from its JSON and a Prometheus' answers.")
    parser.add_argument("--prometheus", default="http://localhost:9090")
    parser.add_argument(
        "--at", type=float, default=time.time(), help="the end of the time shown, in seconds since 1970"
    )
    parser.add_argument("--scrape", type=float, default=30, help="seconds between scrapes")
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(source.read_text(encoding="utf-8"))
        text, height = page(dashboard, Prometheus(options.prometheus), at=options.at, scrape=options.scrape)
        shoot(text, height, options.folder / f"dashboard-{source.stem.removeprefix('ai-cost-')}.png")


if __name__ == "__main__":
    main()
