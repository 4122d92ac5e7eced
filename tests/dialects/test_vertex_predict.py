"""Vertex AI's predict."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read

PATH = "/v1/projects/p/locations/l/publishers/google/models/m:predict"


def test_each_prediction_states_its_own_tokens() -> None:
    """They are added up."""
    one = {"embeddings": {"statistics": {"token_count": 6}}}
    got = read(PATH, "us-central1-aiplatform.googleapis.com", answer={"predictions": [one, one]})
    assert (got.usage.input_tokens, got.evidence) == (12, Evidence.REPORTED)


def test_pictures_are_our_own_count() -> None:
    """Imagen states nothing."""
    got = read(PATH, "us-central1-aiplatform.googleapis.com", answer={"predictions": [{"bytesBase64Encoded": "aGk="}]})
    assert (got.usage.images, got.evidence) == (1, Evidence.ESTIMATED)
