"""``podtab prices``: what a model costs and why, what changed, how far two lists agree, newer tables.  No logic: that is in ``agent.pricing``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from agent.pricing import PriceBook
    from agent.pricing.rates import Rate

prices = typer.Typer(help="What models cost, and why.", no_args_is_help=True)

Overrides = Annotated[str, typer.Option(help="The customers' file (prices.overrides of the configuration).")]
Tables = Annotated[str, typer.Option(help="Newer base tables (prices.tables of the configuration).")]
Day = Annotated[str, typer.Option(help="A day or a moment, UTC: 2026-11-24 or 2026-11-24T08:30. Default: now.")]


@prices.command(
    epilog=(
        "For instance:\n"
        "  podtab prices show gpt-4o              # at every provider that has it\n"
        "  podtab prices show openai/gpt-4o --tier batch --at 2026-09-01"
    )
)
def show(
    model: Annotated[str, typer.Argument(help="The model's name on the wire, or PROVIDER/MODEL.")],
    at: Day = "",
    tier: Annotated[str, typer.Option(help="Service tier: flex, priority, batch …")] = "",
    region: Annotated[str, typer.Option(help="us, eu, regional, datazone …")] = "",
    variant: Annotated[str, typer.Option(help="Size and quality of pictures: 1024x1024/hd")] = "",
    overrides: Overrides = "",
    tables: Tables = "",
) -> None:
    """What a model costs at each provider that has it, and which source says so."""
    from agent.model import Unpriced
    from agent.pricing.changes import models_of, question

    book, at_ns = _book(overrides, tables), _moment(at)
    known = sorted(models_of(book))
    provider, _, rest = model.partition("/")
    # Services without models answer to any name, so only when they are asked for.
    services = {name for entry in book.overlay.entries if "" in entry.models for name in entry.providers}
    anywhere = [(name, model) for name in known if name not in services]
    wanted = [(provider, rest)] if rest and provider in known else anywhere
    found = False
    for name, asked in wanted:
        plan = book.plan(question(name, asked, tier=tier, region=region, variant=variant), at_ns)
        if isinstance(plan, Unpriced):
            continue
        found = True
        typer.echo(f"{name}: {plan.rates.rule}")
        for unit, rate in plan.rates.by_unit.items():
            if rate.exact or unit in ("output", "input"):
                typer.echo(f"  {unit:<20} {_told(rate)}{'  ' + rate.entry if rate.entry else ''}")
        for factor in plan.rates.factors:
            typer.echo(f"  × {factor.multiplier.factor} {factor.multiplier.name}")
        for remark in plan.remarks:
            typer.echo(f"  remark: {remark}")
    typer.echo(f"price book: {book.version}")
    if not found:
        typer.echo(f"no price for {model}", err=True)
        raise typer.Exit(1)


@prices.command(
    epilog=(
        "For instance:\n"
        "  podtab prices diff --from 2026-09-01   # since then, in the tables in force\n"
        "  podtab prices diff newer.json          # what those would change"
    )
)
def diff(
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(help="Base tables to compare with those in force; without it: two days of those in force."),
    ] = None,
    since: Annotated[str, typer.Option("--from", help="The earlier day. Default: now.")] = "",
    until: Annotated[str, typer.Option("--to", help="The later day. Default: now.")] = "",
    overrides: Overrides = "",
    tables: Tables = "",
) -> None:
    """Which prices change: between the tables in force and FILE, or between two days."""
    from agent.pricing.changes import changes

    before = _book(overrides, tables)
    after = before if file is None else _book(overrides, str(file))
    number = 0
    for number, change in enumerate(changes(before, _moment(since), after, _moment(until)), 1):  # noqa: B007 - counted
        was, now = (("-" if rate is None else _told(rate)) for rate in (change.before, change.after))
        typer.echo(f"{change.provider}/{change.model} {change.unit}: {was} → {now}")
    typer.echo(f"{number} prices differ")


@prices.command(
    epilog=(
        "For instance:\n"
        "  podtab prices check --differences      # each model, too\n"
        "  podtab prices check --against litellm.json --json"
    )
)
def check(
    against: Annotated[
        str, typer.Option(help="Another copy of LiteLLM's map than the one that came with podtab.")
    ] = "",
    at: Day = "",
    tables: Tables = "",
    differences: Annotated[bool, typer.Option("--differences", help="Also each model on which they differ.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """How far two independent price lists agree, by provider.  Exits with 1 when that fell below the recorded level."""
    from agent.prices.files import PriceFileError, read
    from agent.pricing.agreement import compare, dropped, recorded_level, second_opinion, tally
    from agent.pricing.rates import PriceBookError

    book = _book("", tables)
    data = read(against) if against else second_opinion()
    try:
        verdicts = list(compare(data, book.catalog, at_ns=_moment(at)))
    except PriceBookError as error:
        raise PriceFileError(f"{against or 'the second list'}: {error}") from None
    tallies = tally(iter(verdicts))
    fallen = dropped(tallies, recorded_level())
    if as_json:
        figures = {
            name: {
                "agree": one.agree,
                "differ": one.differ,
                "missing": one.missing,
                "share": float(round(one.share, 4)),
            }
            for name, one in tallies.items()
        }
        typer.echo(json.dumps({"price_book": book.version, "providers": figures, "dropped": fallen}))
    else:
        typer.echo(f"{'provider':<18}{'agree':>7}{'differ':>8}{'share':>8}  only in the second list")
        for name, one in tallies.items():
            share = f"{one.share:.1%}" if one.agree + one.differ else "-"
            typer.echo(f"{name:<18}{one.agree:>7}{one.differ:>8}{share:>8}  {one.missing}")
        both = sum(one.agree + one.differ for one in tallies.values())
        agree = sum(one.agree for one in tallies.values())
        typer.echo(f"{agree} of {both} models agree ({Decimal(agree) / max(both, 1):.1%}); {book.version}")
    if differences:
        for verdict in verdicts:
            if verdict.differences:
                typer.echo(f"{verdict.provider}/{verdict.model}: {', '.join(verdict.differences)}")
    if fallen:
        typer.echo(f"agreement fell: {', '.join(fallen)}", err=True)
        raise typer.Exit(1)


@prices.command(epilog=("For instance:\n  podtab prices update newer.json --to /etc/podtab/prices.json"))
def update(
    source: Annotated[str, typer.Argument(help="A file, or the address of a mirror inside the cluster (http, https).")],
    target: Annotated[Path, typer.Option("--to", help="Where prices.tables of the configuration points.")],
) -> None:
    """Check a newer edition of the base tables and put it where a running agent takes it over.  Offline unless given an address."""
    from agent.prices.update import fetch, install
    from agent.pricing import PriceBook
    from agent.pricing.changes import changes

    catalog = install(source, fetch(source), target)
    now = _moment("")
    number = sum(1 for _ in changes(PriceBook(), now, PriceBook(catalog), now))
    typer.echo(f"{target}: {catalog.edition}, {number} prices differ from those that came with podtab")


def _book(overrides: str, tables: str) -> PriceBook:
    from agent.prices.files import Paths, PriceFiles

    return PriceFiles(Paths(overrides=overrides, tables=tables)).load()


def _moment(text: str) -> int:
    from agent.prices.files import PriceFileError

    if not text:
        return int(datetime.now(UTC).timestamp()) * 10**9
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PriceFileError(f"{text[:40]!r} is no day: write 2026-11-24 or 2026-11-24T08:30") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 10**9


def _told(rate: Rate) -> str:
    return " ".join(_parts(rate))


def _parts(rate: Rate) -> Iterator[str]:
    per = {1: "each", 60: "a minute", 3600: "an hour", 1000: "a thousand", 10**6: "a million"}
    yield f"${rate.price_usd:f} {per.get(rate.per, f'per {rate.per}')}"
    for threshold, price in reversed(rate.tiers):
        yield f"(${price:f} beyond {threshold:,} tokens of input)"
    if rate.minimum:
        yield f"(at least {rate.minimum:f})"
