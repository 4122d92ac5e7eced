"""Order and honesty: cheap tests first, and in CI a kernel test that did not run is a failure."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No test asserts an absolute time, so no property does: on a machine with other work the default of 200 ms is chance.
settings.register_profile("podtab", deadline=None)
settings.load_profile("podtab")

_COSTLY = ("kernel", "cluster")

_skipped_kernel: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pure tests, then real probes, then a real cluster; within each the random order stays."""

    def cost(item: pytest.Item) -> int:
        return max((_COSTLY.index(name) + 1 for name in _COSTLY if item.get_closest_marker(name)), default=0)

    items.sort(key=cost)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember kernel tests that were skipped when they ran …"""
    if report.skipped and "kernel" in report.keywords and not hasattr(report, "wasxfail"):
        _skipped_kernel.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """… and files of them that were skipped as a whole."""
    if report.skipped and "kernel/" in report.nodeid:
        _skipped_kernel.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Only CI is strict: a laptop may lack what a kernel test needs."""
    if _skipped_kernel and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so, by name."""
    if _skipped_kernel and os.environ.get("CI"):
        names = ", ".join(_skipped_kernel)
        terminalreporter.write_line(f"CI is set and kernel tests were skipped, which is a failure: {names}", red=True)
