"""Every query of every dashboard against a real Prometheus, filled with figures that the agent's own sink wrote."""

from __future__ import annotations

import html
import json
import math
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from charts.dashboards import history, picture
from charts.dashboards.queries import targets
from charts.dashboards.results import Prometheus, PrometheusError
from tests.charts.conftest import CHART

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
END = 1_795_192_200.0
"""A Friday afternoon; fixed, so that the figures are."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server with two hours and a half of history."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    folder = tmp_path_factory.mktemp("prometheus")
    with (folder / "history.txt").open("w") as file:
        history.write(file, end=END, hours=2.5, step=60)
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "history.txt", "data"]
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text("{}")
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "--storage.tsdb.retention.time=100y"], cwd=folder, stdout=log, stderr=log)
    try:
        _wait(f"http://{address}/-/ready", server)
        yield Prometheus(f"http://{address}")
    finally:
        server.terminate()
        server.wait(30)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("Prometheus did not come up")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_returns_data(prometheus: Prometheus, path: Path) -> None:
    """No panel is empty on a cluster that works, and none shows only NaN."""
    empty = [
        (query.panel, query.expr)
        for query in targets(json.loads(path.read_text()))
        if all(math.isnan(one.last) for one in prometheus.evaluate(query, at=END, seconds=3600, step=60))
    ]
    assert empty == []


def test_parts_add_up_to_the_whole(prometheus: Prometheus) -> None:
    """Cost by team is the cost of the time range, cut in pieces; so is cost by namespace."""
    overview = json.loads((CHART / "dashboards" / "ai-cost-overview.json").read_text())
    found = {
        query.panel: sum(one.last for one in prometheus.evaluate(query, at=END, seconds=3600, step=60))
        for query in targets(overview)
        if query.panel in ("Cost in this time range", "Cost by team", "Cost by namespace")
    }
    whole = found["Cost in this time range"]
    assert whole > 0
    assert found == pytest.approx(dict.fromkeys(found, whole))


def test_a_variable_narrows(prometheus: Prometheus) -> None:
    """One team's cost is less than all teams', and not nothing."""
    overview = json.loads((CHART / "dashboards" / "ai-cost-overview.json").read_text())

    def cost(**variables: str) -> float:
        (query,) = [one for one in targets(overview, variables) if one.panel == "Cost in this time range"]
        return sum(one.last for one in prometheus.evaluate(query, at=END, seconds=3600, step=60))

    assert 0 < cost(team="payments") < cost()
    assert cost(team="nobody") == 0


def test_a_wrong_query_is_an_error_with_prometheus_own_words(prometheus: Prometheus) -> None:
    """Not an empty answer."""
    (query, *_) = targets(
        {
            "panels": [{"type": "stat", "title": "t", "targets": [{"refId": "A", "expr": "sum("}]}],
            "templating": {"list": []},
        }
    )
    with pytest.raises(PrometheusError, match="parse error"):
        prometheus.evaluate(query, at=END, seconds=60, step=60)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_picture_has_every_panel(prometheus: Prometheus, path: Path) -> None:
    """All titles are on the page, and no panel says that it is empty."""
    dashboard = json.loads(path.read_text())
    text, height = picture.page(dashboard, prometheus, at=END, scrape=60)
    assert height > 1000
    for panel in dashboard["panels"]:
        assert html.escape(panel["title"]) in text
    assert 'class="empty"' not in text
