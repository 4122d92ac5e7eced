"""Vector stores: time and outcome, units where they are stated, and only what is theirs."""

from __future__ import annotations

import pytest

from agent.model import Evidence
from tests.dialects.helpers import dialect_of, head, read
from tests.exchanges import Wire, request, response

QUERY = "/collections/docs/points/query"


@pytest.mark.parametrize(
    ("path", "host", "method"),
    [
        ("/v1/graphql", "hasura.shop.svc", "POST"),
        ("/logs-2026/_search", "es.logging.svc", "POST"),
        ("/collections/docs", "qdrant", "POST"),
        ("/collections/docs/points/1", "qdrant", "GET"),
        ("/api/v2/tenants/t/databases/d/collections", "chroma", "POST"),
        ("/v2/vectordb/collections/list", "milvus", "POST"),
    ],
)
def test_what_others_have_too_is_left_alone(path: str, host: str, method: str) -> None:
    """A path that is mostly somebody else's, and what is no query."""
    assert dialect_of(head(path, host, method)) is None


def test_failures_are_told_by_a_word() -> None:
    """Qdrant says it in its status, Milvus by a code in a 200, Weaviate in a list; never the sentence, which quotes what was asked."""
    assert read(QUERY, "qdrant", answer={"status": {"error": "Not found: docs"}, "time": 0.0}).error == "error"
    failed = read("/v2/vectordb/entities/search", "milvus", answer={"code": 1100, "message": "field v"})
    assert (failed.error, failed.evidence) == ("1100", Evidence.NOT_APPLICABLE)
    assert read("/v1/graphql", "weaviate", answer={"errors": [{"message": "m"}]}).error == "graphql_error"


def test_units_are_the_sum_of_the_models_that_ran() -> None:
    """Qdrant can embed with several."""
    models = {"a": {"tokens": 3}, "b": {"tokens": 4}, "c": {"tokens": "odd"}}
    got = read(QUERY, "qdrant", answer={"result": [], "usage": {"inference": {"models": models}}})
    assert (got.usage.input_tokens, got.evidence) == (7, Evidence.REPORTED)


def test_an_answer_of_another_shape_is_nobodys_call() -> None:
    """On a host that we don't know, the path alone is no proof."""
    made = Wire().send(request(QUERY, "inventory.shop.svc", {})).receive(response({"items": []})).close()
    assert made.calls == []
    known = Wire().send(request(QUERY, "inventory.shop.svc", {})).receive(response({"result": [], "status": "ok"}))
    assert [call.api for call in known.close().calls] == ["qdrant/points"]
