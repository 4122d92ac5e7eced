"""What stands in a path: a name like any other, bounded and without its escapes."""

from __future__ import annotations

import re

import pytest

from agent.dialects.paths import method_in_path, name_in_path
from agent.model import RequestHead

PATTERN = re.compile(r"/models/([^/:]*):(\w+)$")


def asks(target: str, method: str = "POST") -> RequestHead:
    return RequestHead(stream_id=1, method=method, target=target, headers={})


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/v1/models/m-1:count", "m-1"),
        ("/v1/models/meta%2Fllama:count?key=*", "meta/llama"),
        ("/v1/models/:count", ""),
        ("/v1/models", ""),
        (f"/models/{'m' * 5000}:count", "m" * 256),
        ("/models/%ff%00:count", "\ufffd\0"),
    ],
)
def test_a_name_is_a_word(target: str, name: str) -> None:
    """It becomes a label, whatever somebody asks for."""
    assert name_in_path(PATTERN, asks(target)) == name


def test_only_a_post_asks_for_something() -> None:
    """A GET of the same path is a look at it."""
    assert method_in_path(PATTERN, asks("/models/m:count")) == "count"
    assert method_in_path(PATTERN, asks("/models/m:count", "GET")) == ""
    assert method_in_path(PATTERN, asks("/models")) == ""
