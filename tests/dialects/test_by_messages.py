"""gRPC without a path: a method is named where a text proves it, and nowhere else.  Through the whole core: tests/pipeline/test_grpc.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dialects.by_messages import begins_with_a_message, method_answered, method_asked
from agent.dialects.gemini_grpc import GeminiGrpc
from agent.dialects.xai_grpc import XaiGrpc, XaiGrpcStream
from agent.protocol.grpc import messages
from tests.dialects.test_golden import GOLDEN, grpc

VERTEX = "projects/acme/locations/europe-west1/publishers/google/models/gemini-2.5-flash"


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def asked(model: str, *, contents: bytes = b"\x12\x02\x0a\x00") -> bytes:
    return framed(contents + b"\x2a" + bytes([len(model)]) + model.encode())


def test_vertex_is_known_by_the_full_name_of_its_model() -> None:
    """In its place, beside something that is asked; another vendor's model there is asked by other methods."""
    assert method_asked(asked(VERTEX)) is GeminiGrpc
    assert method_asked(asked(VERTEX, contents=b"")) is None
    for other in ("gemini-2.5-flash", f"x/{VERTEX}", VERTEX.replace("gemini", "claude"), VERTEX + "/x"):
        assert method_asked(asked(other)) is None


@pytest.mark.parametrize(("name", "kind"), [("completion.json", XaiGrpc), ("stream.json", XaiGrpcStream)])
def test_xai_is_known_by_a_grok_on_both_sides(name: str, kind: type[XaiGrpc]) -> None:
    """Its place in the answer tells the two methods apart."""
    golden = json.loads(Path(GOLDEN, "xai_grpc", name).read_text("utf-8"))
    question, (answer, *_) = grpc(golden["request"]["grpc"]), messages(grpc(golden["response"]["grpc"]))
    assert method_answered(question, answer) is kind
    assert method_answered(question.replace(b"grok", b"brok"), answer) is None
    assert method_answered(question, answer.replace(b"grok", b"brok")) is None
    assert method_asked(question) is None


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_garbage_is_nobodys(question: bytes, answer: bytes) -> None:
    """Whatever a pod sends, there is an answer, and it is no."""
    assert method_asked(question) is method_answered(question, answer) is None
    assert method_asked(framed(question)) is method_answered(framed(question), answer) is None


def test_no_text_begins_like_a_message() -> None:
    """Which is how a body is taken for one where its type was said before."""
    assert begins_with_a_message(framed(b""))
    assert not any(begins_with_a_message(text) for text in (b"", b"{}", b"data: {}", b"[", b"\x1f\x8b"))
