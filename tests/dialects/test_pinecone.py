"""Pinecone."""

from __future__ import annotations

from tests.dialects.helpers import dialect_of, head, read


def test_reads_and_writes_have_units() -> None:
    """Fractions too."""
    host = "i-1.svc.aped.pinecone.io"
    assert read("/query", host, answer={"usage": {"readUnits": 6}}).usage.read_units == 6
    assert (
        read(
            "/records/namespaces/n/search", host, answer={"usage": {"read_units": 1.5, "embed_total_tokens": 4}}
        ).usage.input_tokens
        == 4
    )


def test_the_paths_are_anybodys() -> None:
    """The host decides."""
    assert dialect_of(head("/query", "shop")) is None
