"""
gRPC whose path was said before we came: which method it was, by what its messages say, where that is certain.

A message has numbers and no names, so a shape alone proves nothing.  What does is a text that only one API has in that place: Vertex AI's full name of
a model in a request, or a Grok's name in a request and in the answer to it.
"""

from __future__ import annotations

import re

from agent.dialects.base import Dialect
from agent.dialects.gemini_grpc import GeminiGrpc, GeminiGrpcStream
from agent.dialects.protobuf import Message
from agent.dialects.xai_grpc import XaiGrpc, XaiGrpcStream
from agent.protocol.grpc import messages

_VERTEX_MODEL = re.compile(r"projects/[^/]+/locations/[^/]+/publishers/google/models/gemini-[^/]+")
_GROK = re.compile(r"grok-[\w.-]+", re.ASCII)
# The method with one answer → its sister that streams: the same messages, of which a stream has several.
STREAMED: dict[type[Dialect], type[Dialect]] = {GeminiGrpc: GeminiGrpcStream}


def begins_with_a_message(body: bytes) -> bool:
    """No text begins so, compressed or not."""
    return body[:1] in (b"\0", b"\1")


def method_asked(body: bytes) -> type[Dialect] | None:
    """By a request alone."""
    asked = _first(body)
    if asked.messages(2) and _VERTEX_MODEL.fullmatch(asked.text(5)):
        return GeminiGrpc
    return None


def method_answered(body: bytes, answer: bytes) -> type[Dialect] | None:
    """By a request and the first message of its answer."""
    asked, said = _first(body), Message(answer)
    if not (asked.messages(1) and _GROK.fullmatch(asked.text(2))):
        return None
    for kind in (XaiGrpc, XaiGrpcStream):
        if _GROK.fullmatch(said.text(kind.MODEL)) and said.messages(2):
            return kind
    return None


def _first(body: bytes) -> Message:
    found = messages(body)
    return Message(found[0] if found else b"")
