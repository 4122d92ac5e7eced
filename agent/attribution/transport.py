"""
Reading from an API server: JSON objects and watches, with every failure as one ``ApiError`` of a closed set of reasons.

The only module that knows the client library.  Requests have time-outs, answers have bounds, and credentials are read anew after
the server refused them: tokens and authorities are rotated under a running agent.
"""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Callable, Iterator
from typing import cast

import orjson
import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from agent.attribution.pods import Json
from agent.attribution.settings import AttributionError

Query = dict[str, str]

_CONNECT_SECONDS = 5.0
# 1,000 pods are about 10 MB; what is larger is not one node's.
_MAX_BODY_BYTES = 256 * 1024 * 1024
# etcd takes no object above 1.5 MiB.
_MAX_LINE_BYTES = 16 * 1024 * 1024
# What owners and namespaces are needed for is in their metadata: the pod template stays at the server.
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


class Reason(enum.StrEnum):
    """Why a request failed; values of a metric's label."""

    UNREACHABLE = "unreachable"
    """Refused, reset, no route, no such name."""
    TIMEOUT = "timeout"
    TLS = "tls"
    """The server's certificate is not trusted, or it speaks no TLS."""
    CREDENTIALS = "credentials"
    """Our own token or kubeconfig can't be read."""
    UNAUTHENTICATED = "unauthenticated"
    """401."""
    DENIED = "denied"
    """403: the rights of the chart's ClusterRole are missing."""
    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    """410: the version of a watch, or the token of a list, is forgotten."""
    THROTTLED = "throttled"
    """429."""
    SERVER_ERROR = "server_error"
    """5xx."""
    BAD_ANSWER = "bad_answer"
    """Cut off, no JSON, too large, or a status that makes no sense."""


_BY_STATUS = {
    401: Reason.UNAUTHENTICATED,
    403: Reason.DENIED,
    404: Reason.NOT_FOUND,
    410: Reason.EXPIRED,
    429: Reason.THROTTLED,
}


class ApiError(Exception):
    """A request that failed.  Holds no text of the server's."""

    def __init__(self, reason: Reason, *, status: int = 0, retry_after_seconds: float = 0.0) -> None:
        super().__init__(f"{reason.value} {status}" if status else reason.value)
        self.reason = reason
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def error_of_status(status: int, retry_after: str = "") -> ApiError:
    """What an HTTP status, or the code of a watch's ERROR event, means."""
    reason = _BY_STATUS.get(status) or (Reason.SERVER_ERROR if 500 <= status < 600 else Reason.BAD_ANSWER)
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else 0.0
    return ApiError(reason, status=status, retry_after_seconds=seconds)


def connect(*, kubeconfig: str = "", context: str = "") -> client.ApiClient:
    """A client by a kubeconfig file, or by the pod's own service account.  Raises AttributionError."""
    try:
        configuration = client.Configuration()
        if kubeconfig:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context or None, client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, KeyError, TypeError, ValueError) as error:
        where = kubeconfig or "the pod's service account"
        raise AttributionError(
            f"{where}: no usable access to an API server ({type(error).__name__}); "
            "name a kubeconfig, a PodList file (--pod-list), or set attribution.source to host"
        ) from None
    configuration.retries = False
    return client.ApiClient(configuration)


def connector(*, kubeconfig: str = "", context: str = "") -> Callable[[], client.ApiClient]:
    """``connect`` for later, and for again."""
    return lambda: connect(kubeconfig=kubeconfig, context=context)


class Transport:
    """For several threads.  ``connector`` makes a client with today's credentials; it is asked at once, and again when they fail."""

    def __init__(self, connector: Callable[[], client.ApiClient]) -> None:
        self._connector = connector
        self._client: client.ApiClient | None = connector()
        self._lock = threading.Lock()
        self._open: set[urllib3.HTTPResponse] = set()
        self._closed = False

    def get(self, path: str, query: Query, *, seconds: float, metadata_only: bool = False) -> Json:
        """One object.  Raises ApiError."""
        with self._response(path, query, seconds, _METADATA_ONLY if metadata_only else "application/json") as response:
            body = bytearray()
            for chunk in _chunks(response):
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    raise ApiError(Reason.BAD_ANSWER)
            return _object(bytes(body))

    @contextlib.contextmanager
    def watch(self, path: str, query: Query, *, silent_seconds: float) -> Iterator[Iterator[Json]]:
        """
        The events of a watch, which is open on entry; they end when the server ends it.

        Raises ApiError: of reason ``timeout`` when nothing came for ``silent_seconds``.
        """
        with self._response(path, {"watch": "true", **query}, silent_seconds, "application/json") as response:
            yield _events(response)

    def close(self) -> None:
        """End the watches that threads are waiting on."""
        with self._lock:
            self._closed = True
            waiting = list(self._open)
        for response in waiting:
            # Already over, or not yet begun: then there is nothing to wake.
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                response.shutdown()

    # ---------------------------------------------------------------------------------------------------------- helpers

    @contextlib.contextmanager
    def _response(self, path: str, query: Query, seconds: float, accept: str) -> Iterator[urllib3.HTTPResponse]:
        try:
            response = self._request(path, query, seconds, accept)
            with self._lock:
                self._open.add(response)
            try:
                if not 200 <= response.status < 300:
                    raise error_of_status(response.status, response.headers.get("Retry-After", ""))
                yield response
            finally:
                with self._lock:
                    self._open.discard(response)
                response.close()
        except ApiError as error:
            if error.reason in (Reason.UNAUTHENTICATED, Reason.TLS, Reason.CREDENTIALS):
                # Next time with what the files say then.
                self._client = None
            raise

    def _request(self, path: str, query: Query, seconds: float, accept: str) -> urllib3.HTTPResponse:
        if self._closed:
            raise ApiError(Reason.UNREACHABLE)
        try:
            api = self._client = self._client or self._connector()
            method, url, headers, body, post_params = api.param_serialize(
                "GET",
                path,
                query_params=list(query.items()),
                auth_settings=["BearerToken"],
                header_params={"Accept": accept},
            )
        except (AttributionError, config.ConfigException, OSError, ValueError):
            # The token's file is read before a request.
            raise ApiError(Reason.CREDENTIALS) from None
        try:
            answer = api.call_api(
                method, url, headers, body, post_params, _request_timeout=(min(_CONNECT_SECONDS, seconds), seconds)
            )
        except ApiException:
            # The client makes one of urllib3's SSLError, and of nothing else.
            raise ApiError(Reason.TLS) from None
        except _TRANSPORT_FAILURES as error:
            raise _error_of_transport(error) from None
        return cast(urllib3.HTTPResponse, answer.response)


_TRANSPORT_FAILURES = (urllib3.exceptions.HTTPError, OSError)


def _chunks(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    try:
        yield from response.stream(65536, decode_content=True)
    except _TRANSPORT_FAILURES as error:
        raise _error_of_transport(error) from None


def _events(response: urllib3.HTTPResponse) -> Iterator[Json]:
    """One JSON object a line."""
    rest = b""
    for chunk in _chunks(response):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            raise ApiError(Reason.BAD_ANSWER)
        yield from (_object(line) for line in lines if line.strip())


def _error_of_transport(error: Exception) -> ApiError:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        # Refused, no route, no such name: urllib3 derives it from its time-outs.
        return ApiError(Reason.UNREACHABLE)
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return ApiError(Reason.TIMEOUT)
    if isinstance(error, urllib3.exceptions.SSLError):
        return ApiError(Reason.TLS)
    if isinstance(error, urllib3.exceptions.DecodeError | urllib3.exceptions.IncompleteRead):
        return ApiError(Reason.BAD_ANSWER)
    return ApiError(Reason.UNREACHABLE)


def _object(text: bytes) -> Json:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ApiError(Reason.BAD_ANSWER) from None
    if not isinstance(value, dict):
        raise ApiError(Reason.BAD_ANSWER)
    return value
