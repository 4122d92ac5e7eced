"""Batches of Anthropic."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read

HOST = "api.anthropic.com"


def row(model: str, taken: int) -> dict[str, object]:
    return {
        "custom_id": "x",
        "result": {
            "type": "succeeded",
            "message": {"id": "m", "model": model, "usage": {"input_tokens": taken, "output_tokens": 1}},
        },
    }


def test_models_are_told_apart() -> None:
    """Each has its own price."""
    got = read("/v1/messages/batches/b1/results", HOST, method="GET", items=[row("a", 1), row("b", 10), row("a", 2)])
    assert (counts(got), got.served_model) == ((3, 2), "a")
    assert [(extra.model, extra.usage.input_tokens) for extra in got.extra_usage] == [("b", 10)]
    assert (got.object_ids, got.service_tier, "polled" in got.remarks) == (("b1",), "batch", True)


def test_answers_that_failed_cost_nothing() -> None:
    """Errored, expired, cancelled."""
    got = read("/v1/messages/batches/b1/results", HOST, method="GET", items=[{"result": {"type": "expired"}}])
    assert counts(got) == (None, None)


def test_the_batch_itself_states_nothing() -> None:
    """Created, polled, cancelled."""
    for method, path in (("POST", ""), ("GET", "/b1"), ("POST", "/b1/cancel")):
        kind = dialect_of(head("/v1/messages/batches" + path, HOST, method))
        assert kind is not None
        assert kind.api == "anthropic/batches"
    assert read("/v1/messages/batches", HOST, answer={"id": "b1"}).evidence is Evidence.NOT_APPLICABLE
