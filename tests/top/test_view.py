"""What stands on the screen."""

from __future__ import annotations

import io
import math

import pytest
from rich.cells import cell_len
from rich.console import Console

from agent.top import view
from agent.top.figures import Rate, Snapshot, rates, read
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
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(
        screen(snapshot, shown, width=width, height=height, source="http://x/metrics", live=live, trouble=trouble)
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def line_of(lines: list[str], name: str) -> str:
    (line,) = [line for line in lines if name in line]
    return line


def chosen(snapshot: Snapshot, sort: Sort = Sort.COST, namespace: str = "") -> list[Row]:
    return rows(snapshot, {}, sort=sort, namespace=namespace)


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
    shown = rows(now, rates(before, now) if live else {}, sort=Sort.COST, namespace="")
    lines = draw(now, shown, width=width, live=live)
    assert all(cell_len(line) <= width for line in lines)
    head = line_of(lines, " cost")
    assert head.split()[0] == "pod"
    assert "…" not in head
    table = lines[2:-1]
    assert [line for line in table if "unpriced" in line and "vllm" in line]
    assert not [part for line in table for part in line.split() if "…" in part and part[0] in "≥$0123456789"]


def test_rates_are_drawn_when_there_are_any() -> None:
    """Live, a pod without two moments or without a price has ``?``; a single table has no such columns."""
    now = page()
    key = next(key for key in now.pods if key[1] == "checkout-1")
    shown = rows(now, {key: Rate(calls_per_minute=4.25, usd_per_hour=1234.5)}, sort=Sort.RATE, namespace="")
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
    shown = chosen(page(), namespace="shop")
    assert [row.pod.name for row in shown] == ["checkout-1", "nokey"]
    assert [row.share for row in shown] == [1.0, 0.0]
    assert line_of(draw(page(), shown), "≥ and unpriced").strip().endswith("1 call without a known price (no_usage 1)")


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
    ("amount", "text"),
    [
        (0, "$0"),
        (1e-9, "<$0.000001"),
        (0.00024, "$0.000240"),
        (0.0123456, "$0.01235"),
        (0.5, "$0.5000"),
        (0.99999, "$1.0000"),
        (12.345, "$12.35"),
        (1234567.891, "$1,234,567.89"),
    ],
)
def test_money(amount: float, text: str) -> None:
    """Digits that say something, and never $0 for what is more."""
    assert view._usd(amount) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9999, "9,999"),
        (10_000, "10.0k"),
        (123_456, "123k"),
        (999_700, "1.0M"),
        (2.5e9, "2.5G"),
        (7e12, "7.0T"),
    ],
)
def test_numbers(number: float, text: str) -> None:
    """At most five characters."""
    assert view._number(number) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0.0004, "0ms"), (0.25, "250ms"), (1.04, "1.0s"), (42.4, "42s"), (math.inf, ">82s")],
)
def test_seconds(seconds: float | None, text: str) -> None:
    """Milliseconds below a second."""
    assert view._seconds(seconds) == text


def test_shares() -> None:
    """100 % means all of them; a share that is small has a mark all the same."""
    assert [view._percent(share) for share in (None, 0.0, 0.999, 1.0)] == ["–", "0%", "99%", "100%"]
    assert [view._bar(share) for share in (None, 0.0, 0.0001, 0.5, 1.0)] == ["", "", "▏", "████", "████████"]
