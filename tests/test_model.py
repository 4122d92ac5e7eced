"""The vocabulary's few lines of logic, and its shape."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

from agent import model
from agent.model import Peer, RequestHead

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("API.OpenAI.com", "api.openai.com"),
        ("api.openai.com:443", "api.openai.com"),
        ("[2001:DB8::1]:8443", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_a_host_has_no_port(header: str, host: str) -> None:
    """Providers are found by host alone, whatever case or port the client writes."""
    assert RequestHead(stream_id=1, method="GET", target="/", headers={"host": header}).host == host


def test_a_request_without_a_host() -> None:
    """HTTP/1.0 may name none."""
    assert RequestHead(stream_id=1, method="GET", target="/", headers={}).host == ""


def test_the_path_has_no_query() -> None:
    """Gemini's key stands in the query, so what may be shown is the path."""
    head = RequestHead(stream_id=1, method="POST", target="/v1beta/models/m:generateContent?key=k&alt=sse", headers={})
    assert head.path == "/v1beta/models/m:generateContent"


@pytest.mark.interpreted
def test_everything_that_crosses_a_stage_is_frozen_and_slotted() -> None:
    """Values can't change behind a stage's back, and a misspelt attribute is an error."""
    types = [kind for _, kind in inspect.getmembers(model, inspect.isclass) if dataclasses.is_dataclass(kind)]
    assert len(types) > 20
    for kind in types:
        # Frozen to mypy: at run time that would cost more than the value is worth.
        assert inspect.getsource(kind).startswith("@value(frozen=True, slots=True, kw_only=True)\n"), kind
        assert hasattr(kind, "__slots__"), kind
        assert all(field.kw_only for field in dataclasses.fields(kind)), kind


def test_values_are_compared_and_hashed_by_what_they_hold() -> None:
    """Causes of remarks and multipliers are keys of dictionaries."""
    one, same, other = (Peer(address="10.0.0.1", port=port) for port in (443, 443, 80))
    assert one == same != other
    assert len({one, same, other}) == 2
