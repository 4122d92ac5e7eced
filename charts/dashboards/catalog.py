"""The dashboards, by the file that each becomes.  Grafana's sidecar puts all files of a cluster into one folder: so they begin alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.models import dashboard as model

from charts.dashboards.capture import capture
from charts.dashboards.models import models
from charts.dashboards.overview import overview
from charts.dashboards.workload import workload

DASHBOARDS: Mapping[str, Callable[[], model.Dashboard]] = {
    "ai-cost-overview.json": overview,
    "ai-cost-workload.json": workload,
    "ai-cost-models.json": models,
    "ai-cost-capture.json": capture,
}
