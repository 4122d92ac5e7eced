"""xAI over gRPC; whole exchanges, written by xAI's own library, are in the golden folder."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from agent.dialects.xai_grpc import XaiGrpc, XaiGrpcStream
from agent.model import Evidence, Reading, ResponseHead, StreamItem, Usage
from tests.dialects.helpers import dialect_of, head
from tests.dialects.protobuf_messages import message

USAGE = message((1, 50), (2, 30), (3, 80), (5, 7), (6, 20), (7, 10), (9, 1), (9, 8), (9, 1), (9, 99), (11, 12345))


def call(call_id: str, name: str, kind: int | None = None) -> bytes:
    return message((1, call_id), *([] if kind is None else [(2, kind)]), (10, message((1, name))))


def answer(calls: bytes, reason: int, tier: int) -> tuple[type[XaiGrpc], bytes]:
    """GetChatCompletionResponse, by the numbers of xai/api/v1/chat.proto."""
    output = message((1, reason), (2, 1), (3, calls))
    return XaiGrpc, message((1, "r1"), (2, output), (6, "grok-4"), (9, USAGE), (15, tier))


def chunk(calls: bytes, reason: int, tier: int) -> tuple[type[XaiGrpc], bytes]:
    """GetChatCompletionChunk: the same under other numbers."""
    output = message((1, calls), (3, reason), (4, 1))
    return XaiGrpcStream, message((1, "r1"), (2, output), (4, "grok-4"), (6, USAGE), (12, tier))


def read(made: tuple[type[XaiGrpc], bytes]) -> Reading:
    kind, data = made
    reader = kind(head("/xai_api.Chat/GetCompletion", "api.x.ai"), "x_ai")
    reader.response_head(ResponseHead(stream_id=1, status=200, headers={}))
    reader.item(StreamItem("", data))
    return reader.reading(complete=True, streaming=True)


def test_methods_have_dialects() -> None:
    """One answer, and a stream."""
    assert dialect_of(head("/xai_api.Chat/GetCompletion", "api.x.ai")) is XaiGrpc
    assert dialect_of(head("/xai_api.Chat/GetCompletionChunk", "api.x.ai")) is XaiGrpcStream
    assert dialect_of(head("/xai_api.Chat/DeleteStoredCompletion", "api.x.ai")) is None


def test_a_stream_that_was_cut_is_partial() -> None:
    """Each chunk states usage, and only the last one's is the provider's last word."""
    reader = XaiGrpcStream(head("/xai_api.Chat/GetCompletionChunk", "api.x.ai"), "x_ai")
    reader.response_head(ResponseHead(stream_id=1, status=200, headers={}))
    # id "x"; an output that goes on; usage of 5 completion and 3 prompt tokens.
    reader.item(StreamItem("", bytes.fromhex("0a0178 12020a00 320408051003")))
    reading = reader.reading(complete=False, streaming=True)
    assert (reading.usage.input_tokens, reading.usage.output_tokens) == (3, 5)
    assert reading.evidence is Evidence.PARTIAL


@pytest.mark.parametrize("shape", [answer, chunk])
def test_every_field_is_read_by_its_number(shape: Callable[[bytes, int, int], tuple[type[XaiGrpc], bytes]]) -> None:
    """Tools of the client are calls, the server's own are counted by what the usage says; the cost is in ten-billionths of a dollar."""
    calls = message((3, call("c1", "look_up", 1)), (3, call("c2", "web_search", 2)), (3, call("c3", "old_client")))
    reading = read(shape(calls, 4, 2))
    assert (reading.response_id, reading.served_model, reading.service_tier) == ("r1", "grok-4", "priority")
    assert reading.usage == Usage(
        input_tokens=30,
        output_tokens=50,
        cache_read_input_tokens=10,
        reasoning_output_tokens=20,
        image_input_tokens=7,
    )
    assert reading.tool_calls == ("look_up", "old_client")
    assert reading.server_tool_calls == {"web_search": 2, "attachment_search": 1, "tool_99": 1}
    assert reading.reported_cost_usd == Decimal("0.0000012345")
    assert reading.finish_reason == "tool_calls"
    assert reading.streaming is (shape is chunk)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(0, ""), (1, "length"), (2, "length"), (3, "stop"), (4, "tool_calls"), (5, "time_limit"), (6, "6")],
)
def test_why_it_ended(number: int, reason: str) -> None:
    """A reason that is newer than we are is its number, and a call at another tier than priority is at none."""
    reading = read(answer(b"", number, 1))
    assert reading.finish_reason == reason
    assert reading.service_tier == ""


def test_calls_of_several_outputs_are_all_told() -> None:
    """Each output has an index of its own: the first call of one is not the first call of another."""
    outputs = [message((2, index), (3, message((3, call("c", f"tool_{index}", 1))))) for index in (0, 1)]
    assert read((XaiGrpc, message(*((2, one) for one in outputs)))).tool_calls == ("tool_0", "tool_1")


def test_an_answer_without_a_cost_has_none() -> None:
    """What is 0 is not sent, and 0 dollars were not said."""
    reading = read((XaiGrpc, message((9, message((2, 30))))))
    assert reading.reported_cost_usd is None
    assert (reading.usage.input_tokens, reading.usage.output_tokens) == (30, 0)
