"""watsonx: the input comes first, the output last."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "us-south.ml.cloud.ibm.com"
PATH = "/ml/v1/text/generation_stream"


def result(taken: int, made: int, reason: str) -> dict[str, object]:
    return {
        "model_id": "m",
        "results": [{"input_token_count": taken, "generated_token_count": made, "stop_reason": reason}],
    }


def test_later_zeros_do_not_take_back_the_input() -> None:
    """Only the first event has it."""
    items: list[object] = [result(8, 0, "not_finished"), result(0, 5, "not_finished"), result(0, 11, "eos_token")]
    got = read(PATH, HOST, asked={"model_id": "m"}, items=items)
    assert (counts(got), got.evidence, got.requested_model) == ((8, 11), Evidence.REPORTED, "m")
    cut = read(PATH, HOST, items=items[:2], complete=False)
    assert (counts(cut), cut.evidence) == ((8, 5), Evidence.PARTIAL)
