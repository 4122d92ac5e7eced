"""Batches of OpenAI: polling and result files repeat usage."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read
from tests.exchanges import Wire, request, response

HOST = "api.openai.com"
USAGE = {"input_tokens": 40, "output_tokens": 20, "total_tokens": 60}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "completed",
    "model": "m",
    "output_file_id": "file-2",
    "usage": USAGE,
    "request_counts": {},
}
ROW = b'{"custom_id":"a","response":{"status_code":200,"body":{"id":"c","model":"m","usage":{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60}}}}\n'


def test_an_unfinished_batch_has_no_usage_yet() -> None:
    """Its counters are 0 until it ends."""
    got = read("/v1/batches/batch_1", HOST, method="GET", answer={**BATCH, "status": "in_progress"})
    assert (got.evidence, counts(got)) == (Evidence.NOT_APPLICABLE, (None, None))


def test_a_batch_its_polls_and_its_file_are_money_once() -> None:
    """Whichever comes second is not counted: they share the file's id."""
    get = {"host": HOST, "method": "GET"}
    file = response(ROW)
    for second in ("/v1/batches/batch_1", "/v1/files/file-2/content"):
        wire = Wire()
        wire.send(request("/v1/batches/batch_1", **get)).receive(response(BATCH))
        wire.send(request(second, **get)).receive(response(BATCH) if "batch" in second else file).close()
        first, again = wire.calls
        assert (first.reading.usage.input_tokens, first.reading.evidence) == (40, Evidence.REPORTED)
        assert (again.reading.usage.input_tokens, "counted_before" in again.reading.remarks) == (None, True)


def test_a_file_that_is_no_result_is_no_call() -> None:
    """Nothing to bill."""
    got = read("/v1/files/file-9/content", HOST, method="GET", answer=b"%PDF-1.7")
    assert (got.evidence, got.recognised) == (Evidence.NOT_APPLICABLE, False)


def test_a_cut_file_is_partial() -> None:
    """More answers may have followed."""
    got = read("/v1/files/file-2/content", HOST, method="GET", items=[ROW], complete=False)
    assert (counts(got), got.evidence, got.service_tier, got.streaming) == ((40, 20), Evidence.PARTIAL, "batch", False)
