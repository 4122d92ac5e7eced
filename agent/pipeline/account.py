"""
Whose account a call is billed to, from heads and paths alone.

The answer's word counts before the request's: it names what was billed, the request what was asked for.  Values come from
outside, so what does not look like an id is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from agent.model import Account, RequestHead

_ID = re.compile(r"[\w.:@/-]{1,128}", re.ASCII)
# arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc, in a path or as a model's name.
_ARN = re.compile(r"arn:aws[\w-]*:[\w-]+:[\w-]*:(\d{12}):")
# Vertex AI: in the path, or for gRPC in the routing header.
_GOOGLE_PROJECT = re.compile(r"(?:^|[/=])projects/([^/&]{1,128})/")


def account_of(request: RequestHead, answered: Mapping[str, str]) -> Account:
    """``answered`` are the response's headers."""
    asked = request.headers
    arn = _ARN.search(unquote(request.path))
    google = _GOOGLE_PROJECT.search(request.path) or _GOOGLE_PROJECT.search(
        unquote(asked.get("x-goog-request-params", ""))
    )
    return Account(
        key_hash=request.key_hash,
        organization=_first(answered, asked, "openai-organization", "anthropic-organization-id")
        or (arn[1] if arn else ""),
        project=_first(answered, asked, "openai-project")
        or _id(asked.get("x-goog-user-project", ""))
        or (_id(google[1]) if google else ""),
        workspace=_first(answered, asked, "anthropic-workspace-id"),
    )


def _first(answered: Mapping[str, str], asked: Mapping[str, str], *names: str) -> str:
    for heads in (answered, asked):
        for name in names:
            if name in heads and (found := _id(heads[name])):
                return found
    return ""


def _id(value: str) -> str:
    return value if _ID.fullmatch(value) else ""
