"""Mistral's OCR."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_pages_are_what_is_billed() -> None:
    """Also where the answer was cut behind them."""
    got = read("/v1/ocr", "api.mistral.ai", answer={"usage_info": {"pages_processed": 29}})
    assert (got.usage.pages, got.evidence) == (29, Evidence.REPORTED)
    cut = read("/v1/ocr", "api.mistral.ai", answer=b'{"usage_info":{"pages_processed":29},"pa', complete=False)
    assert (cut.usage.pages, cut.evidence) == (29, Evidence.PARTIAL)
