"""
Tool calls of the Model Context Protocol over HTTP: ``POST …/mcp`` with the JSON-RPC method ``tools/call``.

Reference: https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
A call costs nothing that the answer states; what counts is which tool was called, how long it took and whether it failed.  All other
methods are no calls.
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, word
from agent.model import RequestHead

_CALL = "tools/call"


class McpTools(Reader):
    api: ClassVar[str] = "mcp/tools"
    operation: ClassVar[str] = "execute_tool"
    # Only the request tells a call; nothing in an answer does.
    _shape: ClassVar[frozenset[str]] = frozenset({"\0"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.rstrip("/").endswith("/mcp")

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.free = True

    def _ask(self, asked: Json) -> None:
        if asked.get("method") == _CALL:
            self._recognised = True
            self.server_tools.add(word(get(asked, "params", "name")))

    def _take(self, answer: Json) -> None:
        if get(answer, "result", "isError") is True:
            self.error = "tool_error"
