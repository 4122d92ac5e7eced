"""Heads: tokenised by llhttp, reduced to the allow-list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.headers import KEPT
from agent.protocol.heads import request_head, response_head

REQUEST = (
    b"POST /v1/chat/completions?key=AIzaSecret HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer sk-secret\r\n"
    b"X-API-Key: sk-other\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
)


def test_only_allowed_headers_are_kept() -> None:
    """Keys are forgotten while they are tokenised."""
    head = request_head(REQUEST, KEPT)
    assert (head.method, head.http_version) == ("POST", "1.1")
    assert head.headers == {"host": "api.openai.com", "content-type": "application/json", "content-length": "2"}
    assert "sk-" not in repr(head.headers)


def test_no_secret_can_be_on_the_allow_list() -> None:
    """The names that carry keys, in every provider's spelling."""
    secrets = {
        "authorization",
        "proxy-authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "ocp-apim-subscription-key",
        "x-amz-security-token",
    }
    assert not KEPT & secrets


def test_a_response_head_has_its_status() -> None:
    """Reason phrases are not needed."""
    head = response_head(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\n\r\n", KEPT)
    assert (head.status, head.headers) == (429, {"retry-after": "7"})


def test_an_upgrade_is_not_an_error() -> None:
    """The head is whole; what follows is no longer HTTP/1."""
    head = request_head(
        b"GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", KEPT
    )
    assert head.headers["upgrade"] == "websocket"


def test_repeated_codings_are_joined() -> None:
    """Two header lines are one list (RFC 9110, 5.3)."""
    head = response_head(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n", KEPT)
    assert head.headers["content-encoding"] == "gzip, br"


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    """A head, or ProtocolError, whose message holds no bytes of it."""
    for parse in (request_head, response_head):
        try:
            parse(data + b"\r\n\r\n", KEPT)
        except ProtocolError as error:
            assert "bytes" in str(error)


def test_a_broken_head_is_named_by_its_size() -> None:
    """Never by its content."""
    with pytest.raises(ProtocolError) as caught:
        request_head(b"POST / HTTP/1.1\r\nsk-secret\x00: 1\r\n\r\n", KEPT)
    assert "sk-secret" not in str(caught.value)


def test_a_password_in_an_absolute_target_is_forgotten() -> None:
    """RFC 9112, 3.2.2: what is sent to a proxy names its host in the target, which wins over the header."""
    head = request_head(b"GET http://user:SECRET@api.x.com:8080/v1/a?b=c HTTP/1.1\r\nHost: other\r\n\r\n", KEPT)
    assert (head.target, head.headers["host"]) == ("/v1/a?b=c", "api.x.com:8080")
    assert "SECRET" not in repr(head)
    assert request_head(b"GET https://h HTTP/1.1\r\n\r\n", KEPT).target == "/"


@pytest.mark.parametrize("first", ["length", "coding"])
def test_a_length_beside_a_transfer_coding_is_no_error(first: str) -> None:
    """Some servers send both; clients take the chunks."""
    lines = [b"Content-Length: 3", b"Transfer-Encoding: chunked"]
    both = b"\r\n".join(lines if first == "length" else lines[::-1])
    head = response_head(b"HTTP/1.1 200 OK\r\n" + both + b"\r\n\r\n", KEPT)
    assert head.headers == {"content-length": "3", "transfer-encoding": "chunked"}


def test_a_repeated_header_keeps_its_first_value() -> None:
    """As the vocabulary says."""
    head = response_head(b"HTTP/1.1 200 OK\r\nX-Request-Id: a\r\nx-request-id: b\r\n\r\n", KEPT)
    assert head.headers == {"x-request-id": "a"}


@pytest.mark.parametrize(
    "lengths", [b"Content-Length: 1\r\nContent-Length: 2", b"Content-Length: 1\r\nContent-Length: 1"]
)
def test_two_lengths_are_an_error(lengths: bytes) -> None:
    """What client and server read could differ: nothing is guessed."""
    with pytest.raises(ProtocolError):
        response_head(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n\r\n", KEPT)
