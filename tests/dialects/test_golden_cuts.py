"""Golden answers cut at every tenth: for the APIs that no recording has, the same law as for those that have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.model import Evidence
from agent.replay_exchange import Framing, request_bytes, response_bytes
from tests.dialects.test_cuts import read as read_call
from tests.dialects.test_golden import FILES, exchange


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cut_answer_is_not_called_reported(path: Path) -> None:
    """Unless its figures are the whole's."""
    recorded = exchange(json.loads(path.read_text("utf-8")))
    sent = request_bytes(recorded["request"], Framing())  # type: ignore[arg-type]
    received = response_bytes(recorded["response"], Framing())  # type: ignore[arg-type]
    whole = read_call(sent, (0, received)).call.reading
    for tenth in range(1, 10):
        part = read_call(sent, (0, received[: len(received) * tenth // 10])).call.reading
        if part.evidence is Evidence.REPORTED:
            assert (part.usage, part.extra_usage) == (whole.usage, whole.extra_usage), tenth
