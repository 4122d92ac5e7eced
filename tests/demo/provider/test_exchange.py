"""What the fake reads from a request, and what it draws."""

from dataclasses import replace

import pytest

from agent.demo.provider.exchange import Draw, dump, event
from tests.demo.provider.requests import request


@pytest.mark.parametrize(
    "header",
    [{"authorization": "Bearer sk-demo-pod-1"}, {"x-api-key": "sk-demo-pod-1"}, {"x-goog-api-key": "sk-demo-pod-1"}],
)
def test_the_key_says_who_calls(header: dict[str, str]) -> None:
    """In the header that each provider's SDK uses."""
    assert replace(request("/"), headers=header).client == "pod-1"


def test_no_key_is_a_name_of_its_own() -> None:
    """It would show in the books as a caller that no pod is."""
    assert replace(request("/"), headers={}).client == "unknown"


def test_a_retry_says_so() -> None:
    """By the SDKs' own header."""
    assert [request("/", retry=count).is_retry for count in (0, 1, 2)] == [False, True, True]


def test_a_body_that_is_no_object_is_an_empty_one() -> None:
    """The fake looks keys up; it doesn't judge."""
    assert replace(request("/"), body=b"[1]").json() == replace(request("/"), body=b"").json() == {}


def test_draws_repeat_for_the_same_caller_and_ordinal_only() -> None:
    """Otherwise two runs could not be compared, or all pods would look alike."""
    same = [Draw.of("a", 1).tokens(reasoning=True) for _ in range(2)]
    assert same[0] == same[1]
    assert len({Draw.of(client, ordinal).tokens(reasoning=True) for client in "ab" for ordinal in range(5)}) == 10


def test_all_parts_of_usage_occur() -> None:
    """A part that is never drawn is a part that is never compared."""
    drawn = [Draw.of("a", ordinal).tokens(reasoning=True, cache_write=True) for ordinal in range(30)]
    assert all(any(getattr(tokens, name) for tokens in drawn) for name in type(drawn[0]).__slots__)
    assert any(not tokens.cache_read for tokens in drawn)


def test_events_are_framed_as_asked() -> None:
    """Providers differ in line ends and in whether events are named."""
    assert event({"a": "é"}) == 'data: {"a":"é"}\n\n'.encode()
    assert event({}, "ping", end="\r\n") == b"event: ping\r\ndata: {}\r\n\r\n"
    assert dump([1, 2]) == b"[1,2]"
