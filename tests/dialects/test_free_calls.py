"""Calls that cost nothing."""

from __future__ import annotations

import pytest

from agent.model import Evidence, Usage
from tests.dialects.helpers import read


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/count_tokens",
        "/v1/responses/input_tokens",
        "/v1beta/models/m:countTokens",
        "/model/m/count-tokens",
        "/v1/moderations",
    ],
)
def test_a_count_that_was_asked_for_is_no_usage(path: str) -> None:
    """Nothing to bill, so nothing is stated."""
    got = read(
        path, "x", asked={"model": "m"}, answer={"input_tokens": 14, "totalTokens": 3, "usage": {"input_tokens": 2}}
    )
    assert (got.evidence, got.usage, got.requested_model) == (Evidence.NOT_APPLICABLE, Usage(), "m")
