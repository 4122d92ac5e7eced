"""Deepgram."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_the_length_of_the_sound_is_what_is_billed() -> None:
    """The model stands in the query."""
    got = read(
        "/v1/listen?model=nova-3", "api.deepgram.com", answer={"metadata": {"request_id": "d", "duration": 25.9}}
    )
    assert (got.usage.audio_seconds, got.requested_model, got.response_id) == (25.9, "nova-3", "d")
    assert read("/v1/listen", "api.deepgram.com", answer={"results": {}}).evidence is Evidence.ABSENT
