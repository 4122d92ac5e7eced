"""HTTP/1 request and response heads (RFC 9112), tokenised by llhttp through httptools."""

from __future__ import annotations

import httptools

from agent.model import ProtocolError
from agent.protocol.headers import KeyHasher, key_in, without_keys
from agent.values import value

# Node accepts 16 KiB of headers, nginx 32, Tomcat 8; agents carry long baggage.  More is not a head.
MAX_HEAD_BYTES = 64 * 1024


@value(frozen=True, slots=True, kw_only=True)
class Head:
    """One head; ``method`` and ``target`` of a request, ``status`` of a response."""

    method: str = ""
    target: str = ""
    status: int = 0
    http_version: str
    headers: dict[str, str]
    key_hash: str = ""
    """Of the key that a request came with; "" where it had none, or nobody asked for it."""


class HeaderCollector:
    """Callbacks of one parse: keeps allowed headers only, the first value of each; lists whose parts all count are joined, a key is hashed at once."""

    __slots__ = ("hash_key", "headers", "keep", "key_hash", "target")

    def __init__(self, keep: frozenset[str], hash_key: KeyHasher | None = None) -> None:
        self.keep = keep
        self.hash_key = hash_key
        self.headers: dict[str, str] = {}
        self.target = ""
        self.key_hash = ""

    def on_url(self, url: bytes) -> None:
        self.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        if key not in self.keep:
            if self.hash_key is not None and not self.key_hash and (secret := key_in(key, value)):
                self.key_hash = self.hash_key(secret)
            return
        if key not in self.headers:
            self.headers[key] = value.decode("latin-1").strip()
        elif key in ("transfer-encoding", "content-encoding", "sec-websocket-extensions"):
            self.headers[key] += ", " + value.decode("latin-1").strip()


def request_head(data: bytes, keep: frozenset[str], hash_key: KeyHasher | None = None) -> Head:
    """``data`` is a whole head, its empty line included.  Keys in it end here: of one that came by header or query the hash is kept."""
    collector = HeaderCollector(keep, hash_key)
    parser = httptools.HttpRequestParser(collector)
    _feed(parser, data, "request")
    if collector.target.startswith(("http://", "https://")):
        # RFC 9112, 3.2.2: what is sent to a proxy names the host, which wins, and may hold a password.
        authority, slash, path = collector.target.partition("://")[2].partition("/")
        collector.target = slash + path or "/"
        collector.headers["host"] = authority.rpartition("@")[2]
    target, secret = without_keys(collector.target)
    if secret and hash_key is not None and not collector.key_hash:
        collector.key_hash = hash_key(secret)
    return Head(
        method=parser.get_method().decode("latin-1"),
        target=target,
        http_version=parser.get_http_version(),
        headers=collector.headers,
        key_hash=collector.key_hash,
    )


def response_head(data: bytes, keep: frozenset[str]) -> Head:
    """``data`` is a whole head, its empty line included."""
    collector = HeaderCollector(keep)
    parser = httptools.HttpResponseParser(collector)
    try:
        _feed(parser, data, "response")
    except ProtocolError:
        # llhttp stops at 101 as at an error, with the head all read.
        if parser.get_status_code() != 101:
            raise
    return Head(status=parser.get_status_code(), http_version=parser.get_http_version(), headers=collector.headers)


def _feed(parser: httptools.HttpRequestParser | httptools.HttpResponseParser, data: bytes, kind: str) -> None:
    # Content-Length beside Transfer-Encoding: an error for servers, but clients take the chunks (RFC 9112, 6.3, rule 3), and so do we.
    parser.set_dangerous_leniencies(lenient_chunked_length=True)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # the head is whole; what follows it is not HTTP/1
    except httptools.HttpParserError as error:
        raise ProtocolError(f"{kind} head of {len(data)} bytes: {type(error).__name__}") from None
