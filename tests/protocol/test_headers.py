"""The allow-list, and what becomes of keys."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from agent.protocol.headers import KEPT, key_hasher, key_in, without_keys
from agent.protocol.heads import request_head

SALT = b"sixteen bytes of salt"
HASH = key_hasher(SALT)


def test_a_hash_is_the_keyed_one() -> None:
    """HMAC-SHA256 by the salt, its first sixteen digits: who has salt and key can make it with any tool."""
    assert HASH(b"sk-1") == hmac.new(SALT, b"sk-1", hashlib.sha256).hexdigest()[:16]
    assert len({HASH(b"sk-1"), HASH(b"sk-2"), key_hasher(b"another salt of bytes")(b"sk-1")}) == 3


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("authorization", b"Bearer sk-1", b"sk-1"),
        ("authorization", b"  bearer   sk-1 ", b"sk-1"),
        ("authorization", b"Token r8_1", b"r8_1"),
        ("authorization", b"sk-1", b"sk-1"),
        ("x-api-key", b"sk-ant-1", b"sk-ant-1"),
        ("api-key", b"azure1", b"azure1"),
        ("x-goog-api-key", b"AIza1", b"AIza1"),
        (
            "authorization",
            b"AWS4-HMAC-SHA256 Credential=AKIA1/20261125/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature=f00",
            b"AKIA1",
        ),
        ("sec-websocket-protocol", b"realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1", b"sk-1"),
        ("sec-websocket-protocol", b"realtime", b""),
        ("authorization", b"", b""),
        ("content-type", b"Bearer sk-1", b""),
    ],
)
def test_the_key_of_a_header(name: str, value: bytes, key: bytes) -> None:
    """Without its scheme; of a signed request the access key's id, because the signature is another one each time."""
    assert key_in(name, value) == key


@pytest.mark.parametrize(
    ("target", "shown", "key"),
    [
        ("/v1/models/g:generateContent?key=AIza1&alt=sse", "/v1/models/g:generateContent?key=*&alt=sse", b"AIza1"),
        ("/a?alt=sse&API_KEY=k1", "/a?alt=sse&API_KEY=*", b"k1"),
        (
            "/a?X-Amz-Credential=AKIA1%2F20261125%2Feu&X-Amz-Signature=f00",
            "/a?X-Amz-Credential=*&X-Amz-Signature=*",
            b"AKIA1",
        ),
        ("/a?monkey=1&model=m", "/a?monkey=1&model=m", b""),
        ("/a", "/a", b""),
    ],
)
def test_keys_are_struck_out_of_targets(target: str, shown: str, key: bytes) -> None:
    """The parameter stays, its value goes; other parameters are left alone."""
    assert without_keys(target) == (shown, key)


def test_one_key_is_one_hash_by_any_road() -> None:
    """By header, by query, with a scheme or without; where both are there the header counts; unasked there is none."""
    heads = [
        b"POST /a HTTP/1.1\r\nAuthorization: Bearer sk-1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nx-api-key: sk-1\r\n\r\n",
        b"POST /a?key=sk-1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /a?key=sk-9 HTTP/1.1\r\napi-key: sk-1\r\n\r\n",
    ]
    assert {request_head(head, KEPT, HASH).key_hash for head in heads} == {HASH(b"sk-1")}
    assert {request_head(head, KEPT).key_hash for head in heads} == {""}
    assert all("sk-" not in repr(request_head(head, KEPT, HASH)) for head in heads)
