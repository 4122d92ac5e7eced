"""
The API server as kubectl reaches it: the kubeconfig's server, user and namespace; reading only, no retries.

Every answer is bounded in size and in time, also one that drips: it may come from whoever made a pod with our label.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import urllib3
import yaml
from kubernetes import client, config

from agent.model import PodtabError

# 500 pods with ten models each are some 25 MB; more than this is not our page.
MAX_BYTES = 128 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


class KubectlError(PodtabError):
    """The API server can't be asked at all."""


class UnreachableError(Exception):
    """No whole answer came.  The message says why; what that means is for the caller to say."""


class TimedOutError(UnreachableError):
    """It did not come in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: bytes


class Transport(Protocol):
    """One GET after another, from any thread."""

    def get(self, path: str, query: Mapping[str, str], *, accept: str) -> Reply:
        """Raises UnreachableError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a kubeconfig says."""

    api: Transport
    namespace: str
    """Of the context."""


class KubernetesApi:
    """By the official client, which knows every way to log in."""

    def __init__(self, api: client.ApiClient, *, timeout_seconds: float | None) -> None:
        self._api = api
        self._timeout_seconds = timeout_seconds

    def get(self, path: str, query: Mapping[str, str], *, accept: str) -> Reply:
        deadline = None if self._timeout_seconds is None else time.monotonic() + self._timeout_seconds
        try:
            method, url, headers, body, post = self._api.param_serialize(
                "GET",
                path,
                query_params=list(query.items()),
                auth_settings=["BearerToken"],
                header_params={"Accept": accept},
            )
            answer = self._api.call_api(method, url, headers, body, post, _request_timeout=self._timeout_seconds)
            response = cast(urllib3.HTTPResponse, answer.response)
            with contextlib.closing(response):
                return Reply(status=response.status, body=_read(response, deadline))
        except urllib3.exceptions.TimeoutError:
            raise TimedOutError("no answer in time") from None
        except (client.ApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise UnreachableError(_why(error)) from None


def connect(*, kubeconfig: str = "", context: str = "", parallel: int, timeout_seconds: float | None) -> Access:
    """By a kubeconfig as kubectl finds it (flag, KUBECONFIG, ~/.kube/config), else by a pod's service account."""
    settings = client.Configuration()
    try:
        namespace = _configure(settings, kubeconfig, context)
    except (config.ConfigException, OSError, KeyError, TypeError, AttributeError, ValueError, yaml.YAMLError) as error:
        told = str(error).replace("\n", " ") if isinstance(error, config.ConfigException) else type(error).__name__
        raise KubectlError(
            f"no access to a cluster: {told}; does `kubectl version` work? --kubeconfig and --context choose another"
        ) from None
    settings.retries = False
    settings.connection_pool_maxsize = parallel
    return Access(
        api=KubernetesApi(client.ApiClient(settings), timeout_seconds=timeout_seconds), namespace=namespace or "default"
    )


def _configure(settings: client.Configuration, kubeconfig: str, context: str) -> str:
    """Fill in; returns the context's namespace."""
    try:
        contexts, active = config.list_kube_config_contexts(config_file=kubeconfig or None)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        if kubeconfig or context:
            raise
        try:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            raise config.ConfigException("there is no kubeconfig, and this is not a pod") from None
        with open(_SERVICE_ACCOUNT_NAMESPACE, encoding="utf-8") as file:
            return file.read().strip()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig or None, context=context or None, client_configuration=settings
    )
    chosen = next((one for one in contexts if one["name"] == context), None) if context else active
    return str(((chosen or {}).get("context") or {}).get("namespace") or "")


def _read(response: urllib3.HTTPResponse, deadline: float | None) -> bytes:
    pieces: list[bytes] = []
    size = 0
    # read1 returns what one look at the socket gives: so the clock is looked at even when bytes drip.
    while piece := response.read1(_PIECE_BYTES):
        size += len(piece)
        if size > MAX_BYTES:
            raise UnreachableError(f"an answer larger than {MAX_BYTES} bytes, which podtab's never is")
        if deadline is not None and time.monotonic() > deadline:
            raise TimedOutError("no whole answer in time")
        pieces.append(piece)
    return b"".join(pieces)


def _why(error: Exception) -> str:
    """The kind of failure in a few words; urllib3 wraps the reason twice and adds addresses of objects."""
    text = str(getattr(error, "reason", None) or error)
    return f"{type(error).__name__}: {text.rpartition(': ')[2] or text}"[:300]
