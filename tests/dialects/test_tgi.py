"""Text Generation Inference."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read


def test_headers_count_without_details() -> None:
    """They always come."""
    got = read(
        "/generate",
        "tgi",
        answer={"generated_text": "x"},
        headers={"x-prompt-tokens": "16", "x-generated-tokens": "75"},
    )
    assert (counts(got), got.evidence, got.recognised) == ((16, 75), Evidence.REPORTED, True)


def test_a_stream_without_details_states_nothing() -> None:
    """Absent."""
    got = read("/generate_stream", "tgi", items=[{"token": {"text": "x"}, "generated_text": "x", "details": None}])
    assert got.evidence is Evidence.ABSENT


def test_the_root_is_read_at_hugging_faces_endpoints_alone() -> None:
    """Everybody has a ``/``."""
    assert dialect_of(head("/", "shop")) is None
    assert dialect_of(head("/", "x.us-east-1.aws.endpoints.huggingface.cloud")) is not None


def test_a_header_that_is_no_number_is_not_stated() -> None:
    """Headers are hostile too."""
    got = read(
        "/generate",
        "tgi",
        answer={"generated_text": "x"},
        headers={"x-prompt-tokens": "-1", "x-generated-tokens": "9" * 40},
    )
    assert counts(got) == (None, None)
