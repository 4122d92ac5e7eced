"""
Where to export to, decided once at start: the configuration first, then OpenTelemetry's own variables.

A mistake is one sentence that names the key or the variable and the remedy; never a header's value, which is a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from agent.model import PodtabError
from agent.sinks.otlp.names import Semconv
from agent.sinks.otlp.spans import Naming

_MAX_HEADERS_BYTES = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_ALIAS = re.compile(r"[a-z][a-z0-9_.]{0,127}")
_GRPC_PORT = 4317


class OtlpError(PodtabError):
    """The export can't work as configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the configuration says, before the environment is asked; "" is "not said"."""

    endpoint: str = ""
    traces: bool = True
    metrics: bool = True
    semconv: Semconv = Semconv.BOTH
    cost_aliases: tuple[str, ...] = Naming().cost_aliases
    headers_file: str = ""
    ca_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    compression: str = "gzip"
    interval_seconds: float = 60.0
    timeout_seconds: float = 10.0
    retry_seconds: float = 60.0
    queue_size: int = 8192
    max_models: int = 200
    max_pods: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One signal's endpoint."""

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """From the environment; those of the headers file are read when they are needed, as secrets are renewed in place."""
    headers_file: str = ""
    ca_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    compression: str = "gzip"
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    traces: Target | None
    metrics: Target | None
    asked: Asked


def resolve(asked: Asked, environ: Mapping[str, str]) -> Settings | None:
    """None: nobody named an endpoint, so nothing is exported."""
    traces = _target("traces", asked, environ) if asked.traces else None
    metrics = _target("metrics", asked, environ) if asked.metrics else None
    if traces is None and metrics is None:
        return None
    for alias in asked.cost_aliases:
        if not _ALIAS.fullmatch(alias):
            raise OtlpError("otlp.cost_aliases must hold attribute names: small letters, digits, dots and underscores")
    return Settings(traces=traces, metrics=metrics, asked=asked)


def parse_headers_file(path: str) -> dict[str, str]:
    """Lines of `name: value`; empty lines and lines that begin with # are passed over."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_HEADERS_BYTES + 1)
    except OSError as error:
        raise OtlpError(f"otlp.headers_file {path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OtlpError(f"otlp.headers_file {path}: is not UTF-8 text") from None
    if len(text) > _MAX_HEADERS_BYTES:
        raise OtlpError(f"otlp.headers_file {path}: longer than 64 KiB, so it is no file of headers")
    headers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not _is_header(name.strip(), value.strip()):
            raise OtlpError(f"otlp.headers_file {path}, line {number}: must be `name: value` in printable ASCII")
        headers[name.strip().lower()] = value.strip()
    return headers


def _target(signal: str, asked: Asked, environ: Mapping[str, str]) -> Target | None:
    def variable(name: str) -> tuple[str, str]:
        """Value and name of the signal's own variable, else of the one for all signals."""
        for one in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            if environ.get(one, "").strip():
                return environ[one].strip(), one
        return "", ""

    if asked.endpoint:
        url = _url(asked.endpoint, "otlp.endpoint").rstrip("/") + f"/v1/{signal}"
    else:
        named, origin = variable("ENDPOINT")
        if not named:
            return None
        protocol, protocol_origin = variable("PROTOCOL")
        if protocol not in ("", "http/protobuf"):
            raise OtlpError(
                f"{protocol_origin} must be http/protobuf, the only protocol that podtab speaks; set otlp.endpoint to such a one"
            )
        url = _url(named, origin)
        if origin == "OTEL_EXPORTER_OTLP_ENDPOINT":
            url = url.rstrip("/") + f"/v1/{signal}"
    text, origin = variable("HEADERS")
    if asked.headers_file:
        parse_headers_file(asked.headers_file)
    files = {
        "otlp.ca_file": asked.ca_file or variable("CERTIFICATE")[0],
        "otlp.client_certificate_file": asked.client_certificate_file or variable("CLIENT_CERTIFICATE")[0],
        "otlp.client_key_file": asked.client_key_file or variable("CLIENT_KEY")[0],
    }
    for key, path in files.items():
        if path and not os.access(path, os.R_OK):
            raise OtlpError(f"{key}: {path} can't be read; mount it or take the key away")
    if files["otlp.client_key_file"] and not files["otlp.client_certificate_file"]:
        raise OtlpError("otlp.client_key_file needs otlp.client_certificate_file beside it")
    return Target(
        url=url,
        headers=MappingProxyType(_headers_of_variable(text, origin)),
        headers_file=asked.headers_file,
        ca_file=files["otlp.ca_file"],
        client_certificate_file=files["otlp.client_certificate_file"],
        client_key_file=files["otlp.client_key_file"],
        compression=asked.compression,
        timeout_seconds=asked.timeout_seconds,
    )


def _url(text: str, origin: str) -> str:
    example = "http://collector.monitoring:4318"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OtlpError(f"{origin} must be a URL such as {example}") from None
    if parts.username is not None or parts.password is not None:
        raise OtlpError(f"{origin} must not hold a name or password; put them into otlp.headers_file")
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or not text.isprintable():
        raise OtlpError(f"{origin} must be a URL that begins with http:// or https://, such as {example}")
    if parts.query or parts.fragment or " " in text:
        raise OtlpError(f"{origin} must be a URL without ? and #, such as {example}")
    if port == _GRPC_PORT:
        raise OtlpError(
            f"{origin} names port {_GRPC_PORT}, where collectors speak gRPC; podtab speaks OTLP over HTTP, usually port 4318"
        )
    return text


def _headers_of_variable(text: str, origin: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        name, value = unquote(name).strip(), unquote(value).strip()
        if not equals or not _is_header(name, value):
            raise OtlpError(f"{origin} must be name=value pairs with commas between them, in printable ASCII")
        headers[name.lower()] = value
    return headers


def _is_header(name: str, value: str) -> bool:
    """A line feed in a value would forge a header."""
    return bool(_TOKEN.fullmatch(name)) and value.isascii() and value.isprintable() and bool(value)
