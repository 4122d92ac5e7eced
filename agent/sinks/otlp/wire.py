"""
What goes over the network: the official exporters' HTTP session, watched and bounded.

The official exporter calls any answer below 400 a success, does not read how many items a collector refused, and reads an answer
however long it is.  So the session that it is given counts what really happened, and keeps the answer small.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import requests
import urllib3.exceptions

from agent.sinks.otlp.settings import OtlpError, Target, parse_headers_file

_MAX_ANSWER_BYTES = 64 * 1024


class Wire(requests.Session):
    """One signal's connection to its collector.  ``failed`` hears the reason of every request that failed, a word of a closed set."""

    def __init__(self, target: Target, failed: Callable[[str], None]) -> None:
        super().__init__()
        self._target = target
        self._failed = failed
        self._file_headers: dict[str, str] = {}
        self._file_stamp: tuple[int, int] | None = None
        self.answer = b""
        """Body of the last answer that was a success."""
        self.last_reason = ""
        """Why the last request failed; "" if it did not."""

    def request(self, method: Any, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        # No longer than one request may take, however long the exporter goes on trying.
        timeout = min(kwargs.get("timeout") or self._target.timeout_seconds, self._target.timeout_seconds)
        headers = {**(kwargs.get("headers") or {}), **self._secrets()}
        deadline = time.monotonic() + timeout
        # Said again for every request, or requests takes REQUESTS_CA_BUNDLE for it.
        kwargs |= {"timeout": timeout, "headers": headers, "stream": True, "verify": self.verify}
        try:
            with super().request(method, url, **kwargs) as response:
                body = _read(response, deadline)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            self._fail(reason_of(error))
            raise
        if not 200 <= response.status_code < 300:
            self._fail(_status(response.status_code))
            if response.status_code < 400:
                # 3xx: nothing was taken.  The exporter thinks so only of an error.
                response.status_code = 400
            return response
        self.answer, self.last_reason = body, ""
        return response

    def _fail(self, reason: str) -> None:
        self.last_reason = reason
        self._failed(reason)

    def _secrets(self) -> dict[str, str]:
        """The headers file's, read again when it changed: Kubernetes renews secrets in place."""
        path = self._target.headers_file
        if not path:
            return {}
        try:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._file_stamp:
                self._file_headers, self._file_stamp = parse_headers_file(path), stamp
        except (OSError, OtlpError):
            # In the middle of its renewal; the next request looks again.  The old ones are refused by the collector if they are over.
            self._failed("headers_file")
        return self._file_headers


def reason_of(error: BaseException) -> str:
    """``timeout``, ``tls``, ``dns`` or ``unreachable``: the deepest cause that says so."""
    chain: list[BaseException] = [error]
    while len(chain) < 12:
        inner = chain[-1].__cause__ or chain[-1].__context__ or getattr(chain[-1], "reason", None)
        if inner is None and chain[-1].args and isinstance(chain[-1].args[0], BaseException):
            inner = chain[-1].args[0]
        if not isinstance(inner, BaseException) or inner in chain:
            break
        chain.append(inner)
    for kinds, word in (
        ((ssl.SSLError, requests.exceptions.SSLError), "tls"),
        ((socket.gaierror,), "dns"),
        # urllib3 calls a refused connection a kind of time-out.
        ((ConnectionError, urllib3.exceptions.NewConnectionError), "unreachable"),
        ((TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError), "timeout"),
    ):
        if any(isinstance(one, kinds) for one in chain):
            return word
    return "unreachable"


def _status(status: int) -> str:
    """Common ones by number, because what to do differs; the rest by class."""
    if status in (400, 401, 403, 404, 413, 415, 429, 500, 502, 503, 504):
        return f"http_{status}"
    return f"http_{status // 100}xx"


def _read(response: requests.Response, deadline: float) -> bytes:
    """Of a collector's few bytes; one that drips is given up at the deadline, one that floods at the bound."""
    body = b""
    for piece in response.iter_content(4096):
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            return b""
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout("the answer did not end in time")
    return body
