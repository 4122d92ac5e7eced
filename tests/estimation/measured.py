"""How far off estimates are: every recorded answer that states its usage is read by dialects that were made deaf to it, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, cast

from agent.dialects import DIALECTS
from agent.dialects.base import Dialect
from agent.dialects.providers import Providers
from agent.estimation.counting import Tokenizer
from agent.model import Chunk, Closed, ConnId, Direction, Evidence, PricedCall, Reading, Unpriced, Usage
from agent.pipeline.pipeline import Pipeline
from agent.replay_exchange import Framing
from tests.dialects.test_cuts import answers


class Error(NamedTuple):
    name: str
    kind: str
    """``input`` or ``output``, and what of it: see ``EXPECTED_ERROR``."""
    model: str
    stated: int
    counted: int

    @property
    def relative(self) -> float:
        return (self.counted - self.stated) / self.stated


def deaf(dialect: type[Dialect]) -> type[Dialect]:
    """The same reader, that never heard of a usage."""

    def reading(self: Any, *, complete: bool, streaming: bool) -> Reading:
        read = cast(Any, dialect).reading(self, complete=complete, streaming=streaming)
        HEARD.append(read)
        return replace(read, usage=Usage(), evidence=Evidence.ABSENT)

    return type(f"Deaf{dialect.__name__}", (dialect,), {"reading": reading, "__slots__": ()})


HEARD: list[Reading] = []
DEAF = tuple(deaf(dialect) for dialect in DIALECTS)


def estimate(sent: bytes, received: bytes, tokenizer: Tokenizer) -> tuple[Reading, Reading]:
    """What the provider stated, and what we would have counted."""
    HEARD.clear()
    core = Pipeline(
        dialects=DEAF,
        provider_of=Providers().provider_of,
        price=lambda _: Unpriced(reason="no_usage"),
        tokenizer=tokenizer,
    )
    conn = ConnId(pid=1, pointer=1, born_ns=1)
    outputs = []
    for direction, data in ((Direction.SENT, sent), (Direction.RECEIVED, received)):
        piece = Chunk(conn=conn, direction=direction, position=0, data=data, at_ns=1, last_at_ns=1, cgroup_id=0)
        outputs += core.receive(piece)
    outputs += core.receive(Closed(conn=conn, at_ns=2))
    (call,) = [output.call for output in outputs if isinstance(output, PricedCall)]
    return HEARD[-1], call.reading


def errors(tokenizer: Tokenizer) -> Iterator[Error]:
    for name, sent, received, _ in answers(Framing()):
        stated, ours = estimate(sent, received, tokenizer)
        if ours.estimate is None:
            continue
        model = stated.served_model or stated.requested_model
        for side, known in (("input", ours.estimate.input_error), ("output", ours.estimate.output_error)):
            theirs = getattr(stated.usage, f"{side}_tokens")
            if known is not None and theirs:
                yield Error(name, f"{side} {known:g}", model, theirs, getattr(ours.usage, f"{side}_tokens"))
