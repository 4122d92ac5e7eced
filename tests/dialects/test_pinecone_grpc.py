"""Pinecone over gRPC."""

from __future__ import annotations

import pytest

from agent.dialects.pinecone_grpc import PineconeGrpc
from agent.model import ResponseHead, StreamItem
from tests.dialects.helpers import dialect_of, head

HOST = "docs-abc123.svc.aped-4627-b74a.pinecone.io"


@pytest.mark.parametrize(("method", "answer"), [("Query", "22020803"), ("Fetch", "1a020803"), ("List", "22020803")])
def test_reads_state_their_units(method: str, answer: str) -> None:
    """Each in a field of its own."""
    reader = PineconeGrpc(head(f"/VectorService/{method}", HOST), "pinecone")
    reader.response_head(ResponseHead(stream_id=1, status=200, headers={}))
    reader.item(StreamItem("", bytes.fromhex(answer)))
    assert reader.reading(complete=True, streaming=True).usage.read_units == 3


def test_writes_state_nothing() -> None:
    """The count of vectors is not what is billed."""
    reader = PineconeGrpc(head("/VectorService/Upsert", HOST), "pinecone")
    reader.item(StreamItem("", bytes.fromhex("0803")))
    assert reader.reading(complete=True, streaming=True).usage.read_units is None


def test_the_service_is_anybodys() -> None:
    """The host decides."""
    assert dialect_of(head("/VectorService/Query", HOST)) is PineconeGrpc
    assert dialect_of(head("/VectorService/Query", "shop")) is None


def test_other_services_of_the_host_are_not_read() -> None:
    """What is no call to an index has no units."""
    assert not PineconeGrpc.accepts(head("/VectorService/DescribeIndexStats", HOST))
