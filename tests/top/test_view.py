"""What stands on the screen."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from agent.top.figures import By, Rate, Snapshot, rates, read
from agent.top.view import Row, Sort, rows, screen
from tests.top.pages import BROKEN, CHECKOUT, CRON, VLLM, Agent

WIDTHS = (60, 80, 100, 120, 140, 200)


def page(*, at_seconds: float = 0.0) -> Snapshot:
    """One pod of each kind."""
    return read(agent().page, at_seconds)


def agent() -> Agent:
    made = Agent()
    made.priced(CHECKOUT, 10)
    made.cut(CHECKOUT)
    made.unpriced(VLLM, 3)
    made.refused(BROKEN, 2)
    made.priced(CRON, 1)
    return made


def draw(
    snapshot: Snapshot,
    shown: list[Row],
    *,
    width: int = 140,
    height: int | None = None,
    live: bool = False,
    trouble: str = "",
    by: By = By.POD,
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(
        screen(
            snapshot, shown, width=width, height=height, source="http://x/metrics", live=live, trouble=trouble, by=by
        )
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def line_of(lines: list[str], name: str) -> str:
    (line,) = [line for line in lines if name in line]
    return line


def chosen(snapshot: Snapshot, sort: Sort = Sort.COST) -> list[Row]:
    return rows(snapshot, {}, sort=sort)


def test_every_pod_has_its_line() -> None:
    """Cost and tokens under their heads; unknown is a word, and what is a lower bound says so."""
    lines = draw(page(), chosen(page()))
    assert line_of(lines, "shop/checkout-1").split() == (
        ["shop/checkout-1", "deploy/checkout", "11", "1", "6,000", "4,000", "2,000", "960ms", "90%", "≥$0.002400"]
    )
    assert line_of(lines, "vllm-client-0").split()[-1] == "unpriced"
    assert line_of(lines, "nokey").split()[-2:] == ["–", "$0"]
    assert line_of(lines, "unit/cron.service").split()[0] == "cron.service"
    assert line_of(lines, "≥ and unpriced").strip() == (
        "≥ and unpriced: 4 calls without a known price (no_usage 1, unknown_provider 3)"
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("live", [False, True])
def test_no_figure_is_cut(width: int, live: bool) -> None:
    """At any width names give way, and no line is longer than the screen."""
    made = agent()
    made.priced(CHECKOUT.__class__(namespace="a" * 60, kind="Deployment", name="b" * 60, pod="推荐" * 30), 12_345)
    before, now = read(made.page, 0.0), read(made.page, 60.0)
    shown = rows(now, rates(before, now) if live else {}, sort=Sort.COST)
    lines = draw(now, shown, width=width, live=live)
    assert all(cell_len(line) <= width for line in lines)
    head = line_of(lines, " cost")
    assert head.split()[0] == "pod"
    assert "…" not in head
    table = lines[2:-1]
    assert [line for line in table if "unpriced" in line and "vllm" in line]
    assert not [part for line in table for part in line.split() if "…" in part and part[0] in "≥$0123456789"]


def test_what_was_not_said_is_not_0() -> None:
    """Tokens of a pod none of whose calls told its usage; those of refused calls are 0."""
    made = Agent()
    made.cut(CHECKOUT)
    made.refused(BROKEN)
    made.priced(CRON)
    now = read(made.page, 0.0)
    lines = draw(now, chosen(now))
    assert line_of(lines, "checkout-1").split()[4:7] == ["?", "?", "?"]
    assert line_of(lines, "nokey").split()[4:7] == ["0", "0", "0"]


def test_names_are_cut_where_they_are_alike() -> None:
    """Pods of one Deployment differ at their end, namespaces at their beginning."""
    made = Agent()
    for end in ("x2k8q", "m4n7z"):
        made.priced(replace(CHECKOUT, pod=f"a-service-with-a-long-name-7c9d8f6b54-{end}"))
    now = read(made.page, 0.0)
    shown = draw(now, chosen(now), width=80)
    for end in ("x2k8q", "m4n7z"):
        name = line_of(shown, end).split()[0]
        assert name.startswith("shop/")
        assert "…" in name


def test_what_no_page_says_has_no_column() -> None:
    """Histograms name no team, so a team has no median."""
    for by, column in ((By.TEAM, False), (By.NAMESPACE, True)):
        now = read(agent().page, 0.0, by=by)
        assert (" p50" in "\n".join(draw(now, chosen(now), by=by))) is column


def test_rates_are_drawn_when_there_are_any() -> None:
    """Live, a pod without two moments or without a price has ``?``; a single table has no such columns."""
    now = page()
    key = next(key for key in now.pods if key[1] == "checkout-1")
    shown = rows(now, {key: Rate(calls_per_minute=4.25, usd_per_hour=1234.5)}, sort=Sort.RATE)
    lines = draw(now, shown, live=True)
    assert "4.2" in line_of(lines, "shop/checkout-1").split()
    assert "$1,234.50" in line_of(lines, "shop/checkout-1").split()
    assert line_of(lines, "shop/nokey").split().count("?") == 2
    assert not [line for line in draw(now, chosen(now)) if "/hour" in line]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort.COST, ["checkout-1", "cron.service", "vllm-client-0", "nokey"]),
        (Sort.CALLS, ["checkout-1", "vllm-client-0", "nokey", "cron.service"]),
        (Sort.ERRORS, ["nokey", "checkout-1", "vllm-client-0", "cron.service"]),
        (Sort.NAME, ["cron.service", "vllm-client-0", "checkout-1", "nokey"]),
        (Sort.TOKENS, ["checkout-1", "vllm-client-0", "cron.service", "nokey"]),
    ],
)
def test_order(sort: Sort, order: list[str]) -> None:
    """Highest first; an unknown cost stands between the known ones and those that cost nothing."""
    assert [row.pod.name for row in chosen(page(), sort)] == order


def test_one_namespace() -> None:
    """Sums, shares and notes are then that namespace's."""
    only = read(agent().page, 0.0, namespace="shop")
    shown = chosen(only)
    assert [row.pod.name for row in shown] == ["checkout-1", "nokey"]
    assert [row.share for row in shown] == [1.0, 0.0]
    assert line_of(draw(only, shown), "≥ and unpriced").strip().endswith("1 call without a known price (no_usage 1)")


def test_a_low_screen_shows_the_first() -> None:
    """And says how many more there are; sums are of all."""
    lines = draw(page(), chosen(page()), height=12)
    assert line_of(lines, "… and 2 more")
    assert not [line for line in lines if "nokey" in line]
    assert line_of(lines, " podtab ").split()[2:6] == ["17", "calls", "4", "pods"]


def test_nothing_yet() -> None:
    """An agent without calls is not an error."""
    empty = read(Agent().page, 0)
    assert line_of(draw(empty, []), "No calls to a model yet.")


def test_troubles_are_told() -> None:
    """Lost bytes, a watch that fails, an agent that went away."""
    made = agent()
    made.lost, made.api_server = 123_456, 0.0
    now = read(made.page, 0)
    lines = draw(now, chosen(now), trouble="these figures are 7 s old")
    assert line_of(lines, "123k bytes were lost")
    assert line_of(lines, "API server can't be reached")
    assert line_of(lines, "7 s old")


def test_names_are_no_markup() -> None:
    """A pod's name is drawn as it is."""
    made = Agent()
    made.priced(CHECKOUT.__class__(namespace="n", kind="Pod", name="w", pod="[red]x[/red]"))
    now = read(made.page, 0)
    assert line_of(draw(now, chosen(now)), "n/[red]x[/red]")


@pytest.mark.parametrize(
    ("by", "name"),
    [
        (By.WORKLOAD, "shop/deploy/checkout"),
        (By.NAMESPACE, "shop"),
        (By.TEAM, "(none)"),
        (By.MODEL, "openai/gpt-4o-mini-2024-07-18"),
    ],
)
def test_rows_by_something_else(by: By, name: str) -> None:
    """The first column says what a row is, the headline how many there are; sums stay the same."""
    now = read(agent().page, 0.0, by=by)
    console = Console(file=io.StringIO(), width=140, color_system=None, force_terminal=True)
    console.print(screen(now, chosen(now), width=140, height=None, source="x", live=False, by=by))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert line_of(lines, " cost").split()[0] == by.value
    assert line_of(lines, f" {name} ").split()[0] == name
    assert f"17 calls  {len(now.pods)} {by.value}" in line_of(lines, " podtab ")
