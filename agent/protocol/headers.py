"""
The header names that we keep.  Everything else is forgotten while it is tokenised, so a key can't leak from where it never was.

Of a key only a keyed hash may live on: it tells two keys apart, and without the salt nobody can try keys against it.
Sources: the providers' API references; see docs/adding-a-provider.md for what each is used for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

KeyHasher = Callable[[bytes], str]
"""From a key to the name that it goes by."""

# 64 bits tell a million keys apart; all 256 would only be longer labels.
_HASH_DIGITS = 16
_CREDENTIALS = frozenset(
    [
        "authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "xi-api-key",
        "ocp-apim-subscription-key",
        "sec-websocket-protocol",
    ]
)
# Browsers can set no header of a WebSocket but this one, so OpenAI takes the key there.
_IN_PROTOCOL = re.compile(rb"openai-insecure-api-key\.([^,\s]+)")
# "Bearer KEY", "Token KEY" (Deepgram, Replicate), "Key KEY" (fal): the key alone is hashed, so that it is the same key by any header.
_SCHEME = re.compile(rb"(?:bearer|token|key|basic|api-key)\s+", re.IGNORECASE)
# SigV4: the signature is another one for every request, the access key's id is who calls.
_SIGV4 = re.compile(rb"AWS4-[\w-]+\s.*?Credential=([^/,\s]{1,256})")
# Names of query parameters that hold keys: Gemini's, Azure's, and what others call them.
_IN_QUERY = re.compile(
    r"([?&](?:key|api[_-]?key|access[_-]token|token|subscription-key|x-amz-credential|x-amz-signature|x-amz-security-token|sig)=)([^&#]*)",
    re.IGNORECASE,
)

KEPT = frozenset(
    [
        "host",
        "content-type",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "mcp-protocol-version",
        "grpc-status",
        "grpc-encoding",
        "sec-websocket-extensions",  # never -protocol: see above
        "x-request-id",
        "request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "x-amzn-errortype",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-service-tier",
        "x-prompt-tokens",
        "x-generated-tokens",
        "x-compute-type",
        "fireworks-cached-prompt-tokens",
        "mistral-correlation-id",
        "x-debug-trace-id",
        "x-generation-id",
        "x-ds-trace-id",
        "x-litellm-call-id",
        "x-litellm-response-cost",
        "x-litellm-model-name",
        "x-litellm-cache-key",
        "llm_provider-apim-request-id",
        "llm_provider-x-request-id",
        "llm_provider-request-id",
        "llm_provider-x-amzn-requestid",
        "pydantic-ai-gateway-price-estimate",
        "x-stainless-retry-count",
        "amz-sdk-request",
        "openai-organization",
        "openai-project",
        "openai-processing-ms",
        "anthropic-organization-id",
        "anthropic-workspace-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-ms-region",
        "x-ms-deployment-name",
        "x-ms-served-model",
        "x-ms-is-spilled-over",
        "azureai-processed-tier",
        "x-gemini-service-tier",
        "x-goog-request-params",
        "x-goog-user-project",
    ]
)


def key_hasher(salt: bytes) -> KeyHasher:
    """HMAC-SHA256 by ``salt``, cut short: not to be turned back, and not to be tried against without the salt."""

    def hashed(key: bytes) -> str:
        return hmac.digest(salt, key, "sha256").hex()[:_HASH_DIGITS]

    return hashed


def key_in(name: str, value: bytes) -> bytes:
    """The key that a request header holds; b"" where it holds none.  ``name`` in lower case."""
    if name not in _CREDENTIALS:
        return b""
    if name == "sec-websocket-protocol":
        offered = _IN_PROTOCOL.search(value)
        return offered[1] if offered else b""
    value = value.strip()
    signed = _SIGV4.match(value)
    if signed is not None:
        return signed[1]
    scheme = _SCHEME.match(value)
    return value[scheme.end() :] if scheme else value


def without_keys(target: str) -> tuple[str, bytes]:
    """A request's target with the values of keys in its query struck out, and the first of them."""
    if "?" not in target:
        return target, b""
    found = _IN_QUERY.search(target)
    if found is None:
        return target, b""
    # A presigned AWS request: behind the access key's id stands the day.
    key = found[2].partition("%2F")[0]
    return _IN_QUERY.sub(r"\1*", target), key.encode("latin-1", "replace")
