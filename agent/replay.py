"""
Everything after capture, from a file, without root: a tape, or recorded exchanges.

An exchanges file has one JSON object a line: ``request`` and ``response`` with headers and ``body_b64``, or a WebSocket session's ``url`` and
``messages``.  Each becomes the bytes of a connection, with framing computed anew, and goes through the whole core.
"""

from __future__ import annotations

import binascii
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from agent.capture.tape import is_tape, read_tape
from agent.dialects import DIALECTS
from agent.dialects.providers import UNKNOWN, Providers
from agent.estimation.counting import Tokenizer
from agent.model import (
    Call,
    Chunk,
    Closed,
    ConnId,
    Cost,
    Direction,
    Judgement,
    PodtabError,
    PricedCall,
    Process,
    Quarantined,
    Unpriced,
    Unsupported,
    Verdict,
)
from agent.pipeline.pipeline import Output, Pipeline
from agent.replay_exchange import Framing, exchange_bytes, target_of
from agent.replay_session import session_bytes

# One recorded exchange; the longest have a megabyte of images in them.
_MAX_LINE_BYTES = 64 * 1024 * 1024
# Where recordings have no times: a second an exchange, so that order shows.
_SECOND_NS = 10**9
_EPOCH_NS = 1_764_000_000 * _SECOND_NS


class ReplayError(PodtabError):
    """The file can't be replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one exchange of the file."""

    id: str
    output: PricedCall | Unsupported | Quarantined | Verdict


def replay(
    path: Path,
    price: Callable[[Call], Cost | Unpriced],
    framing: Framing | None = None,
    tokenizer: Tokenizer | None = None,
) -> Iterator[Result]:
    """One result or more for each exchange, and each turn of a session, in the file's order.  ``tokenizer`` as for the pipeline."""

    def core() -> Pipeline:
        return Pipeline(dialects=DIALECTS, provider_of=providers.provider_of, price=price, tokenizer=tokenizer)

    providers = Providers()
    if is_tape(path):
        yield from _replay_tape(path, core())
        return
    empty = True
    with _opened(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            if empty and line.strip() and not line.lstrip().startswith(b"{"):
                raise ReplayError(
                    f"{path}: neither a tape of `podtab record` nor an exchanges file (JSON lines): give one of these"
                )
            if line.strip():
                empty = False
                yield from _replay_line(path, number, line, core(), framing or Framing())
    if empty:
        raise ReplayError(
            f"{path}: holds no exchange: give a tape of `podtab record` or an exchanges file (JSON lines)"
        )


def _replay_tape(path: Path, pipeline: Pipeline) -> Iterator[Result]:
    at_ns = 0
    open_conns: dict[ConnId, None] = {}
    for record in read_tape(path):
        if isinstance(record, Process):
            continue
        at_ns = record.at_ns
        open_conns[record.conn] = None
        if isinstance(record, Closed):
            del open_conns[record.conn]
        yield from _told(pipeline.receive(record))
    # The tape ends, so everything on it ends.
    for conn in open_conns:
        yield from _told(pipeline.receive(Closed(conn=conn, at_ns=at_ns)))


def _told(outputs: Iterable[Output]) -> Iterator[Result]:
    for output in outputs:
        if isinstance(output, Verdict):
            continue
        conn = output.call.conn if isinstance(output, PricedCall) else output.conn
        number = output.call.stream_id if isinstance(output, PricedCall) else getattr(output, "stream_id", 0)
        yield Result(id=f"{conn.pid}/{conn.pointer:x}/{conn.born_ns}#{number}", output=output)


def _opened(path: Path) -> BinaryIO:
    try:
        with path.open("rb") as file:
            magic = file.read(2)
        return cast(BinaryIO, gzip.open(path, "rb")) if magic == b"\x1f\x8b" else path.open("rb")
    except OSError as error:
        raise ReplayError(f"{path}: can't be read: {error.strerror}") from None


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(_MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error):
            raise ReplayError(f"{path}: the file is cut or damaged after line {number - 1}; fetch it again") from None
        if not line:
            return
        yield line


def _replay_line(path: Path, number: int, line: bytes, pipeline: Pipeline, framing: Framing) -> Iterator[Result]:
    if len(line) >= _MAX_LINE_BYTES:
        raise ReplayError(f"{path}, line {number}: longer than {_MAX_LINE_BYTES} bytes: split or drop this exchange")
    try:
        exchange = orjson.loads(line)
        name = str(exchange["id"])
        if "messages" in exchange:
            said = list(session_bytes(exchange, framing.extensions, target_of(exchange["url"])))
        else:
            said = exchange_bytes(exchange, framing)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ReplayError(
            f"{path}, line {number}: not a whole recorded exchange ({type(error).__name__}): fetch the file again or drop the line"
        ) from None
    conn = ConnId(pid=1, pointer=number, born_ns=number)
    at_ns = _EPOCH_NS + number * _SECOND_NS
    told = False
    verdict: Verdict | None = None
    for event in _events(conn, said, at_ns, framing):
        for output in pipeline.receive(event):
            if isinstance(output, Verdict):
                verdict = output
                continue
            told = True
            yield Result(id=name, output=output)
    if not told:
        # Judged not ours, or one question to a host that may yet turn out to be ours.
        undecided = Verdict(conn=conn, judgement=Judgement.IGNORE, reason="unknown_api")
        yield Result(id=name, output=verdict or undecided)


def _events(
    conn: ConnId, said: Iterable[tuple[Direction, bytes]], at_ns: int, framing: Framing
) -> Iterator[Chunk | Closed]:
    positions = {Direction.SENT: 0, Direction.RECEIVED: 0}
    for direction, data in said:
        at = 0
        sizes = framing.cuts(len(data)) if framing.cuts else [16384] * (len(data) // 16384 + 1)
        for size in sizes:
            part = data[at : at + size]
            if part:
                yield Chunk(
                    conn=conn,
                    direction=direction,
                    position=positions[direction],
                    data=part,
                    at_ns=at_ns,
                    last_at_ns=at_ns,
                    cgroup_id=0,
                )
            at += len(part)
            positions[direction] += len(part)
            at_ns += 1000
    yield Closed(conn=conn, at_ns=at_ns)


def to_json(result: Result) -> bytes:
    """One line for machines; field names are those of OpenTelemetry and of recorded ``expected`` values."""
    output = result.output
    line: dict[str, object] = {"id": result.id}
    if isinstance(output, PricedCall):
        line |= _call_fields(output)
    elif isinstance(output, Unsupported):
        line |= {
            "unsupported": output.reason,
            "provider": output.provider,
            "host": output.host,
            "status": output.status,
        }
    elif isinstance(output, Quarantined):
        line |= {"quarantined": output.reason, "detail": output.detail}
    else:
        line |= {"unsupported": output.reason, "provider": UNKNOWN}
    return orjson.dumps(line)


def show(results: Iterable[Result]) -> None:
    """A table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("provider", "api", "model", "status", "in", "cached", "out", "evidence", "cost in $"):
        table.add_column(name, justify="right" if name in ("in", "cached", "out", "cost in $") else "left")
    others: Counter[str] = Counter()
    failure: PodtabError | None = None
    pending = iter(results)
    while True:
        try:
            result = next(pending, None)
        except PodtabError as error:
            # What stands before the damage is shown first.
            failure = error
            break
        if result is None:
            break
        output = result.output
        if not isinstance(output, PricedCall):
            others[f"{type(output).__name__.lower()} {output.reason}"] += 1
            continue
        call, reading = output.call, output.call.reading
        usage = reading.usage
        counts = (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens)
        cost = f"{output.cost.total_usd:.6f}" if isinstance(output.cost, Cost) else output.cost.reason
        table.add_row(
            call.provider,
            call.api,
            reading.served_model or reading.requested_model or "?",
            str(call.status or "?"),
            *("?" if number is None else str(number) for number in counts),
            reading.evidence.value,
            cost,
        )
    console = Console()
    if table.row_count or failure is None:
        console.print(table)
    for reason, number in others.most_common():
        console.print(f"{number} exchanges not read: {reason}")
    if failure is not None:
        raise failure


def _call_fields(priced: PricedCall) -> dict[str, object]:
    call, reading = priced.call, priced.call.reading
    fields: dict[str, object] = {
        "provider": call.provider,
        "api": call.api,
        "requested_model": reading.requested_model or None,
        "served_model": reading.served_model or None,
        "streaming": reading.streaming,
        "status": call.status,
        "outcome": call.outcome,
        "usage": _stated(asdict(reading.usage)),
        "extra_usage": [
            {"type": extra.kind, "model": extra.model or None, "usage": _stated(asdict(extra.usage))}
            for extra in reading.extra_usage
        ],
        "evidence": reading.evidence,
        "estimate": asdict(reading.estimate) if reading.estimate else None,
        "tool_calls": list(reading.tool_calls),
        "server_tool_calls": dict(reading.server_tool_calls),
        "response_id": reading.response_id or None,
        "request_id": call.request_id or None,
        "account": _named(asdict(call.account)),
        "finish_reason": reading.finish_reason or None,
        "service_tier": reading.service_tier or None,
        "remarks": list(reading.remarks),
    }
    if isinstance(priced.cost, Cost):
        fields["cost_usd"] = str(priced.cost.total_usd)
        fields["cost_source"] = priced.cost.source
        fields["cost_rule"] = priced.cost.rule
    else:
        fields["unpriced"] = priced.cost.reason
    return fields


def _named(account: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in account.items() if value}


def _stated(usage: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in usage.items() if value is not None}


__all__ = ["Output", "ReplayError", "Result", "replay", "to_json"]
