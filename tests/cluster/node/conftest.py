"""The node stands for the whole session and is gone afterwards.  Only ``make cluster-test`` collects these tests: they take minutes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster.node import cluster, programs
from tests.cluster.node.layout import STATE

collect_ignore_glob = [] if os.environ.get("PODTAB_CLUSTER_TEST") else ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def node() -> Iterator[None]:
    """PODTAB_CLUSTER_TEST=keep takes a cluster that stands already and leaves it standing."""
    keep = os.environ.get("PODTAB_CLUSTER_TEST") == "keep"
    if keep and STATE.exists():
        yield
        return
    cluster.down()
    try:
        cluster.up()
        yield
    finally:
        if not keep:
            cluster.down()
            assert cluster.remains() == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:  # type: ignore[type-arg]
    """A failure is of little use without what the agent said."""
    report = yield
    if report.failed and programs.running("kube-apiserver"):  # type: ignore[attr-defined]
        words = cluster.kubectl("-n", cluster.AGENT_NAMESPACE, "logs", "daemonset/podtab", "--tail=40", check=False)
        report.sections.append(("agent's log", words))  # type: ignore[attr-defined]
        pods = cluster.kubectl("get", "pods", "-A", "-o", "wide", check=False)
        report.sections.append(("pods", pods))  # type: ignore[attr-defined]
    return report
