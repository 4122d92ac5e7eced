"""One page of metrics over HTTP, or one sentence why not."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from agent.model import PodtabError

DEFAULT_URL = "http://localhost:9464/metrics"
_TIMEOUT_SECONDS = 5.0
# 500 pods with ten models each are some 25 MB; more than this is not our page.
_MAX_BYTES = 128 * 1024 * 1024


class TopError(PodtabError):
    """The page can't be had, or is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    secure: bool
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.secure else ''}://{host}:{self.port}{self.path}"


def address(text: str) -> Address:
    """Of a whole URL, of HOST:PORT or of :PORT."""
    whole = text if "://" in text else f"http://{'localhost' if text.startswith(':') else ''}{text}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError:
        raise TopError(f"--url {text!r}: is not an address; write HOST:PORT or http://HOST:PORT/metrics") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        raise TopError(f"--url {text!r}: is not an address; write HOST:PORT or http://HOST:PORT/metrics")
    secure = parts.scheme == "https"
    path = parts.path if parts.path not in ("", "/") else "/metrics"
    return Address(
        secure=secure,
        host=parts.hostname,
        port=port or (443 if secure else 80 if "://" in text else 9464),
        path=path + (f"?{parts.query}" if parts.query else ""),
    )


def beside(metrics: Address, path: str) -> Address:
    """Another page of the agent whose metrics are there: behind a proxy both have one prefix."""
    return replace(metrics, path=metrics.path.partition("?")[0].removesuffix("/metrics").rstrip("/") + path)


def fetch(where: Address, *, accept: str = "text/plain", hint: str = "podtab's page is at /metrics, port 9464") -> str:
    """The page's text; ``hint`` says what to look for where something else answers."""
    kind = http.client.HTTPSConnection if where.secure else http.client.HTTPConnection
    connection = kind(where.host, where.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", where.path, headers={"Accept": accept})
        # The answer holds the socket until it is closed, also where the connection is.
        with connection.getresponse() as answer:
            body = answer.read(_MAX_BYTES + 1)
    except ConnectionRefusedError:
        raise TopError(
            f"{where.url}: nothing listens there; start `podtab run`, or name another agent with --url "
            "(in a cluster: kubectl port-forward -n NAMESPACE pod/PODTAB-POD 9464)"
        ) from None
    except TimeoutError:
        raise TopError(f"{where.url}: no answer within {_TIMEOUT_SECONDS:.0f} s; is --url right?") from None
    except (ssl.SSLError, http.client.HTTPException):
        raise TopError(f"{where.url}: the answer is not HTTP{'S' if where.secure else ''}; is --url right?") from None
    except OSError as error:
        raise TopError(f"{where.url}: can't be reached: {error.strerror or error}; is --url right?") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise TopError(f"{where.url}: answers with status {answer.status}; {hint}")
    if len(body) > _MAX_BYTES:
        raise TopError(f"{where.url}: is larger than {_MAX_BYTES} bytes, which podtab's page never is; is --url right?")
    return body.decode("utf-8", "replace")
