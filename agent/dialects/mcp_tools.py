"""
Tool calls of the Model Context Protocol over HTTP: JSON-RPC's ``tools/call``, posted; answered by a document, by a stream, or (before 2025)
on another connection.

Reference: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
A call costs nothing that the answer states; what counts is which tool was called, how long it took and whether it failed.  All other
methods are no calls.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, items, mapping, parse, word
from agent.model import Reading, RequestHead

_CALL = "tools/call"
_PATH = re.compile(r"/mcp/?(?:\?|$)")
# The transport of 2024-11-05 posts beside a stream that it opened before.
_BESIDE_STREAM = re.compile(r"/messages?/?\?(?:[^#]*&)?session_?id=", re.IGNORECASE)
_IN_PART = re.compile(rb'"method"\s*:\s*"tools/call"')
_NAME_IN_PART = re.compile(rb'"params"\s*:\s*\{\s*"name"\s*:\s*"([^"\\\0-\x1f]{1,256})"')
# JSON-RPC 2.0, 5.1
_ERRORS = {
    -32700: "parse_error",
    -32600: "invalid_request",
    -32601: "method_not_found",
    -32602: "invalid_params",
    -32603: "internal_error",
}


class McpTools(Reader):
    api: ClassVar[str] = "mcp/tools"
    operation: ClassVar[str] = "execute_tool"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        # Servers are free in their paths; clients since 2025-06 say what they speak.
        return request.method == "POST" and (
            "mcp-protocol-version" in request.headers
            or _PATH.search(request.target) is not None
            or _BESIDE_STREAM.search(request.target) is not None
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.free = True
        self._read_whole = False
        """The request was, so that what it does not say it is not."""

    def request_body(self, body: bytes, complete: bool) -> None:
        asked = parse(body) if complete else None
        if asked is None:
            name = _NAME_IN_PART.search(body)
            if _IN_PART.search(body) is not None:
                self._call(name[1].decode("utf-8", "replace") if name else "")
            return
        self._read_whole = True
        # Protocol 2025-03-26 has batches.
        for one in items(asked) or [asked]:
            if get(one, "method") == _CALL:
                self._call(word(get(one, "params", "name")))

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        for one in items(answer) or [answer]:
            self._take(mapping(one))

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        # Only the request tells a call; nothing in an answer does.
        recognised = self._recognised or not self._read_whole
        error = self.error if recognised else ""
        return replace(super().reading(complete=complete, streaming=streaming), recognised=recognised, error=error)

    def _call(self, name: str) -> None:
        self._recognised = True
        self.server_tools.add(name)

    def _error_in(self, answer: Json) -> None:
        """In ``_take``, which knows whose error it is."""

    def _take(self, answer: Json) -> None:
        if "method" in answer:
            return  # progress, or what the server asks the client meanwhile
        if get(answer, "result", "isError") is True:
            self.error = "tool_error"
        elif answer.get("error"):
            code = get(answer, "error", "code")
            self.error = _ERRORS.get(code, "error") if isinstance(code, int) else "error"
