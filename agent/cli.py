"""
The commands.  No logic: each reads its options, calls one function, and turns an error that people can mend into one sentence.

Imports stand inside the commands, so that ``replay`` needs no BCC and ``--help`` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from agent import __version__
from agent.model import PodtabError
from agent.prices.commands import prices
from agent.signature.commands import signature

app = typer.Typer(
    name="podtab",
    help="A running tab of what every pod spends on AI: eBPF at the TLS libraries, no application changes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--config", "-c", help="YAML file; every key has a default. See docs/configuration.md."),
]


def main() -> None:
    """Entry point of the ``podtab`` command."""
    try:
        app()
    except PodtabError as error:
        typer.echo(f"podtab: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # `podtab replay … | head` is a normal way to use it.
        sys.stderr.close()
        sys.exit(141)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"podtab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(
    epilog=(
        "For instance:\n"
        "  podtab run                             # every setting at its default\n"
        "  podtab run --listen 127.0.0.1:9464     # for this machine only\n"
        "  podtab run -c podtab.yaml --log-level debug"
    )
)
def run(
    config: ConfigFile = None,
    listen: Annotated[str, typer.Option(help="Address of /metrics, /healthz, /readyz, as HOST:PORT or :PORT.")] = "",
    pod_list: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Name pods from this file instead of an API server: kubectl get pods -A -o json > FILE"),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "",
) -> None:
    """Watch this machine until stopped, and serve its figures at :9464/metrics.  Needs root, or BPF, PERFMON and SYS_PTRACE."""
    from agent.app import run as run_agent
    from agent.config import load

    def doctor(*facts: Any) -> str:
        # When it is asked for: it brings the terminal's tables, and an agent has no terminal.
        from agent.doctor import of_running_agent

        return of_running_agent(*facts)

    settings = load(config, overrides=_given(listen=listen, pod_list=pod_list, log_level=log_level))
    raise typer.Exit(run_agent(settings, doctor=doctor))


@app.command(
    epilog=(
        "For instance:\n"
        "  podtab record slow.tape --seconds 60   # lengths, times, some headers\n"
        "  podtab record slow.tape --content      # prompts too; Ctrl-C ends it\n"
        "  podtab replay slow.tape"
    )
)
def record(
    file: Annotated[Path, typer.Argument(help="The tape to make; must not exist.")],
    config: ConfigFile = None,
    content: Annotated[
        bool, typer.Option("--content", help="Also message bodies, which hold prompts and answers. Else only lengths.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.0, help="Stop after this long; 0: when interrupted.")] = 0.0,
) -> None:
    """Capture onto a tape, for `podtab replay`.  Needs root, or BPF, PERFMON and SYS_PTRACE."""
    from agent.config import load
    from agent.record import record as record_tape

    settings = load(config)
    raise typer.Exit(record_tape(settings, file, content=content or settings.record.content, seconds=seconds))


@app.command(
    epilog=(
        "For instance:\n"
        "  podtab replay slow.tape                # a table, one line a call\n"
        "  podtab replay calls.jsonl.gz --json | jq .cost_usd"
    )
)
def replay(
    file: Annotated[
        Path,
        typer.Argument(
            help="A tape of `podtab record`, or recorded exchanges and sessions (JSON lines, also gzipped)."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a call instead of a table.")] = False,
) -> None:
    """Run everything after capture on a file.  Needs no root."""
    from agent.host.tokenizer import chosen
    from agent.pricing import Pricer
    from agent.replay import replay as replay_file
    from agent.replay import show, to_json

    results = replay_file(file, Pricer().price, tokenizer=chosen())
    if not as_json:
        show(results)
        return
    for result in results:
        sys.stdout.buffer.write(to_json(result) + b"\n")
    sys.stdout.buffer.flush()


app.add_typer(prices, name="prices")
app.add_typer(signature, name="signature")


@app.command(
    epilog=(
        "For instance:\n"
        "  podtab top                             # live, dearest first; Ctrl-C ends it\n"
        "  podtab top --once --by team --sort tokens\n"
        "  podtab top --url 10.0.0.7:9464 -n shop --json"
    )
)
def top(
    url: Annotated[
        str, typer.Option(help="Where the agent's metrics are: HOST:PORT, or a whole URL.")
    ] = "http://localhost:9464/metrics",
    once: Annotated[
        bool, typer.Option("--once", help="One table instead of a live one; so it is over a pipe.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    sort: Annotated[str, typer.Option(help="cost, rate, calls, tokens, errors or name.")] = "cost",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only pods of this namespace.")] = "",
    by: Annotated[str, typer.Option(help="One row a pod, workload, namespace, team or model.")] = "pod",
    interval: Annotated[float, typer.Option(help="Seconds between two looks.")] = 2.0,
) -> None:
    """What each pod spends, live.  Reads the metrics of a running agent; needs no root."""
    from agent.top import top as show_top

    show_top(url=url, once=once, as_json=as_json, sort=sort, namespace=namespace, by=by, interval_seconds=interval)


@app.command(
    epilog=(
        "For instance:\n"
        "  podtab coverage -n shop                # one namespace\n"
        "  podtab coverage --strict               # exit code 1 if calls stay unread"
    )
)
def coverage(
    url: Annotated[
        str, typer.Option(help="Where the agent's metrics are: HOST:PORT, or a whole URL.")
    ] = "http://localhost:9464/metrics",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only pods of this namespace.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 where a process can't be decrypted.")] = False,
) -> None:
    """
    Which processes' calls can be read, which can't, why, and what to do about it.  Asks a running agent; needs no root.

    \b
    readable        its TLS library carries probes
    cannot_decrypt  no probe on its library, and why
    missed_start    older than the probes, with a connection that is no HTTP
    bytes_lost      within ten minutes bytes of its calls were not read
    not_selected    the configuration's selection leaves it out

    A process without a TLS library that podtab knows is not listed.
    """
    from agent.top.coverage import coverage as show_coverage

    raise typer.Exit(show_coverage(url=url, namespace=namespace, as_json=as_json, strict=strict))


@app.command(
    epilog=(
        "For instance:\n"
        "  sudo podtab doctor                     # with the rights the agent would have\n"
        "  podtab doctor -c podtab.yaml --json"
    )
)
def doctor(
    config: ConfigFile = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Is everything there that capture needs?  For each thing missing: what it means and how to get it."""
    from agent.config import load
    from agent.doctor import run as examine

    raise typer.Exit(examine(load(config), as_json=json))


@app.command(
    epilog=(
        "For instance:\n"
        "  sudo make demo                         # brings the SDKs first\n"
        "  podtab demo --hold                     # stays up for podtab top and the page"
    )
)
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    calls: Annotated[int, typer.Option(help="How often each workload makes its calls.")] = 3,
    hold: Annotated[bool, typer.Option("--hold", help="Keep it running and print the address of its metrics.")] = False,
) -> None:
    """Show it all on this machine: real probes, real SDKs, a fake provider that keeps its own books.  Needs root."""
    from agent.demo.run import demo as run_demo

    raise typer.Exit(run_demo(rounds=calls, as_json=as_json, hold=hold))


def _given(**options: object) -> dict[str, str]:
    """Only what the user typed: an absent option must not hide the file's value."""
    return {name: str(value) for name, value in options.items() if value}
