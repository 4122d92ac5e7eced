"""All connections together: bounds, quarantine, and time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.dialects import DIALECTS
from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.providers import Providers
from agent.model import (
    Chunk,
    ConnId,
    Direction,
    Judgement,
    Opened,
    Outcome,
    Peer,
    Quarantined,
    StreamItem,
    Unpriced,
    Verdict,
)
from agent.pipeline.pipeline import IDLE_NS, Pipeline
from tests.exchanges import CONN, Wire, pipeline, request, response

ROOT = Path(__file__).parents[2]


def other(number: int) -> ConnId:
    return ConnId(pid=number, pointer=number, born_ns=number)


def quarantined(wire: Wire) -> list[str]:
    return [output.reason for output in wire.outputs if isinstance(output, Quarantined)]


def test_a_broken_connection_costs_only_itself() -> None:
    """Its neighbour goes on; what was under way on it is told as cut."""
    core = pipeline()
    broken, sound = Wire(core, other(1)), Wire(core, other(2))
    broken.send(request()).receive(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n")
    sound.send(request()).receive(response())
    assert quarantined(broken) == ["protocol_error"]
    assert [call.outcome for call in broken.calls] == [Outcome.CUT]
    assert len(sound.calls) == 1
    broken.send(request()).receive(response())
    assert len(broken.calls) == 1, "nothing more is read of it"
    assert [output.judgement for output in broken.outputs if isinstance(output, Verdict)][-1] is Judgement.IGNORE, (
        "the kernel need not copy it either"
    )


@pytest.mark.interpreted
def test_a_bug_of_ours_costs_one_connection_and_shows_no_payload() -> None:
    """An exception's message can quote what it was given; its class can't."""

    class Buggy(OpenAiChat):
        def item(self, item: StreamItem) -> None:
            raise ZeroDivisionError(item.data)

        def document(self, body: bytes, complete: bool) -> None:
            raise ZeroDivisionError(body)

    core = Pipeline(
        dialects=(Buggy, *DIALECTS), provider_of=Providers().provider_of, price=lambda _: Unpriced(reason="x")
    )
    wire = Wire(core).send(request()).receive(response())
    assert quarantined(wire) == ["bug"]
    assert "chatcmpl" not in repr([output for output in wire.outputs if isinstance(output, Quarantined)])


def test_more_connections_than_allowed_drop_the_oldest() -> None:
    """Counted, and the call under way is told."""
    core = pipeline(max_connections=3)
    wires = [Wire(core, other(number)).send(request()) for number in range(1, 5)]
    assert core.open_connections == 3
    assert quarantined(wires[3]) == ["too_many"]
    assert [call.conn for call in wires[3].calls] == [other(1)]


def test_memory_over_all_connections_is_bounded_and_the_largest_pays() -> None:
    """A pod that sends endless bodies can't make the agent forget the others."""
    core = pipeline(max_buffered_bytes=3 * 1024 * 1024)
    small = Wire(core, other(1)).send(request(body={"model": "small", "x": "y" * 1000})[:-2])
    large = Wire(core, other(2)).send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\ncontent-length: 99999999\r\n\r\n"
    )
    for _ in range(80):
        large.send(b"z" * 65536)
    assert quarantined(large) == ["memory"]
    small.send(b'"}').receive(response())
    assert len(small.calls) == 1


def test_a_connection_that_is_silent_for_too_long_is_given_up() -> None:
    """Its call is told as cut; a younger one stays."""
    core = pipeline()
    wire = Wire(core).send(request())
    assert list(core.tick(wire.at_ns + IDLE_NS - 1)) == []
    wire.outputs += core.tick(wire.at_ns + IDLE_NS)
    assert [call.outcome for call in wire.calls] == [Outcome.CUT]
    assert core.open_connections == 0


def test_a_closed_connection_leaves_nothing() -> None:
    """No state per connection that ever was."""
    core = pipeline()
    for number in range(1, 200):
        Wire(core, other(number)).send(request()).receive(response()).close()
    assert core.open_connections == 0


def test_an_idle_connection_is_small() -> None:
    """Ten thousand of them must fit beside everything else."""
    import tracemalloc

    core = pipeline()
    Wire(core, other(0)).send(request()).receive(response())
    tracemalloc.start()
    for number in range(1, 1001):
        Wire(core, other(number)).send(request()).receive(response())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / 1000 < 6 * 1024


_PARTS = st.one_of(st.binary(max_size=80), st.sampled_from([request(), response(), request()[:60], response()[50:90]]))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(Direction), _PARTS, st.integers(0, 30)), max_size=12))
def test_no_input_raises(pieces: list[tuple[Direction, bytes, int]]) -> None:
    """Whatever pods send and whatever is lost: outputs, never an exception, and never a bug."""
    core = pipeline()
    positions = dict.fromkeys(Direction, 0)
    outputs = []
    for direction, data, lost in pieces:
        positions[direction] += lost % 7 if lost > 20 else 0
        outputs += core.receive(
            Chunk(
                conn=CONN,
                direction=direction,
                position=positions[direction],
                data=data,
                at_ns=1,
                last_at_ns=1,
                cgroup_id=0,
            )
        )
        positions[direction] += len(data)
    assert not [output for output in outputs if isinstance(output, Quarantined) and output.reason == "bug"]


@pytest.mark.parametrize("reason", ["protocol_error", "memory", "too_many", "bug"])
def test_reasons_are_a_closed_set(reason: str) -> None:
    """They are label values: what gives them is here, and the type says what they are."""
    assert f'"{reason}"' in (ROOT / "agent/pipeline/pipeline.py").read_text()
    assert f"``{reason}``" in (ROOT / "agent/model.py").read_text()


def test_an_answer_that_is_polled_is_money_once() -> None:
    """A background answer: queued, then fetched twice; the second fetch is a call without usage."""

    def answer(status: str) -> bytes:
        usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12} if status == "completed" else None
        return response(
            {"id": "resp_1", "object": "response", "status": status, "model": "gpt-5", "output": [], "usage": usage}
        )

    core = pipeline()
    wire = (
        Wire(core).send(request("/v1/responses", body={"model": "gpt-5", "background": True})).receive(answer("queued"))
    )
    for _ in range(2):
        wire.send(request("/v1/responses/resp_1", method="GET")).receive(answer("completed"))
    assert [call.reading.usage.output_tokens for call in wire.calls] == [None, 7, None]
    assert "counted_before" in wire.calls[2].reading.remarks
    again = Wire(core, other(9)).send(request("/v1/responses/resp_1", method="GET")).receive(answer("completed"))
    assert again.calls[0].reading.usage.output_tokens is None, "also from another connection"


def test_a_call_says_its_peer_where_it_is_known() -> None:
    """As the connection was told to be opened; of others nobody says anything."""
    core = pipeline()
    told, untold = Wire(core, other(1)), Wire(core, other(2))
    peer = Peer(address="10.0.0.7", port=8000)
    assert list(core.receive(Opened(conn=told.conn, peer=peer, is_socket=True, at_ns=1))) == []
    for wire in (told, untold):
        wire.send(request()).receive(response()).send(request()).receive(response())
    assert [call.peer for call in told.calls] == [peer, peer]
    assert [call.peer for call in untold.calls] == [None, None]
