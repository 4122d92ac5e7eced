"""Which answer a request gets."""

import pytest

from agent.demo.provider.routes import Routes
from tests.demo.provider.requests import request

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (CHAT, "openai/chat"),
        ("/api/v1/chat/completions", "openai/chat"),
        ("/v1/responses", "openai/responses"),
        ("/v1/embeddings", "openai/embeddings"),
        ("/v1/messages", "anthropic/messages"),
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini/generateContent"),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "gemini/streamGenerateContent"),
        ("/model/amazon.nova-lite-v1%3A0/converse", "bedrock/converse"),
        ("/model/amazon.nova-lite-v1%3A0/converse-stream", "bedrock/converse"),
    ],
)
def test_each_path_has_its_answer(path: str, api: str) -> None:
    """Booked under the API that was called, for the caller of the key."""
    answer, ordinal = Routes().answer(request(path, {"model": "m"}))
    assert (answer.status, answer.served.api, answer.served.client, ordinal) == (200, api, "tests", 1)


def test_unknown_paths_are_refused_and_booked() -> None:
    """404: no workload should ever see it, and the books would show it."""
    answer, _ = Routes().answer(request("/v1/else"))
    assert (answer.status, answer.served.status) == (404, 404)


def test_every_third_first_attempt_of_the_troubled_is_refused_and_its_retry_served() -> None:
    """429 and 500 in turn; others are never refused."""
    routes = Routes()
    statuses = [routes.answer(request(CHAT, client="troubled-1"))[0].status for _ in range(6)]
    assert statuses == [200, 200, 429, 200, 200, 500]
    retries = [routes.answer(request(CHAT, client="troubled-1", retry=1))[0].status for _ in range(6)]
    assert retries == [200] * 6
    assert {routes.answer(request(CHAT))[0].status for _ in range(6)} == {200}


def test_two_runs_serve_the_same() -> None:
    """Amounts depend on the caller and its count, not on chance."""
    first, second = Routes(), Routes()
    for _ in range(5):
        left, right = (routes.answer(request(CHAT, {"model": "gpt-4.1"}))[0] for routes in (first, second))
        assert left.served == right.served
        assert left.pieces == right.pieces
