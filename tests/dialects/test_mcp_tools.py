"""Tool calls of the Model Context Protocol: which, whether they failed, and nothing else of it."""

from __future__ import annotations

import pytest

from agent.dialects.mcp_tools import McpTools
from agent.model import Evidence, RequestHead
from tests.dialects.helpers import read
from tests.exchanges import Wire, request, response

ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": False}}


def call(name: object = "look_up") -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {"name": "x"}}}


@pytest.mark.parametrize(
    ("target", "headers", "method", "accepted"),
    [
        ("/mcp", {}, "POST", True),
        ("/v1/mcp/?team=a", {}, "POST", True),
        ("/", {"mcp-protocol-version": "2025-11-25"}, "POST", True),
        ("/messages/?session_id=1", {}, "POST", True),
        ("/api/message?x=1&sessionId=1", {}, "POST", True),
        ("/mcp", {}, "GET", False),
        ("/mcp/docs", {}, "POST", False),
        ("/v1/messages", {}, "POST", False),
        ("/messages?limit=5", {}, "POST", False),
    ],
)
def test_the_path_or_the_clients_word_says_the_api(
    target: str, headers: dict[str, str], method: str, accepted: bool
) -> None:
    """Servers are free in their paths; the word is a header."""
    head = RequestHead(stream_id=1, method=method, target=target, headers=headers)
    assert McpTools.accepts(head) is accepted


@pytest.mark.parametrize("streamed", [False, True], ids=["document", "stream"])
def test_a_tool_call_is_named_and_free(streamed: bool) -> None:
    """Nothing to bill, however it is answered."""
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"error": "x", "result": 1}}
    got = read("/mcp", "tools", asked=call(), **({"items": [progress, ANSWER]} if streamed else {"answer": ANSWER}))  # type: ignore[arg-type]
    assert (dict(got.server_tool_calls), got.evidence, got.error) == ({"look_up": 1}, Evidence.NOT_APPLICABLE, "")
    assert (got.operation, got.recognised) == ("execute_tool", True)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"id": 1, "result": {"isError": True, "content": [{"type": "text", "text": "secret"}]}}, "tool_error"),
        ({"id": 1, "error": {"code": -32602, "message": "Unknown tool: secret"}}, "invalid_params"),
        ({"id": 1, "error": {"code": 7, "message": "secret"}}, "error"),
        ({"id": 1, "error": {"code": "secret"}}, "error"),
        ({"id": 1, "method": "sampling/createMessage", "error": {"code": -32602}}, ""),
    ],
)
def test_a_call_that_failed_says_so(answer: object, word: str) -> None:
    """The tool's failure and the protocol's, by a word of ours: what servers write there quotes what was asked."""
    assert read("/mcp", "tools", asked=call(), items=[answer]).error == word
    assert read("/mcp", "tools", asked=call(), answer=answer).error == word


def test_a_batch_is_all_its_calls() -> None:
    """As protocol 2025-03-26 allows."""
    asked = [call("a"), {"method": "ping"}, call("b"), call("a")]
    got = read("/mcp", "tools", asked=asked, answer=[ANSWER, {"id": 2, "result": {"isError": True}}])
    assert (dict(got.server_tool_calls), got.error) == ({"a": 2, "b": 1}, "tool_error")


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "cut"])
def test_other_methods_are_no_calls(complete: bool) -> None:
    """Handshakes and lists, also where the client hung up on the answer."""
    for asked in ({"method": "initialize"}, {"method": "tools/list"}, [], [{"method": "ping"}], 7, {"result": {}}):
        assert not read("/mcp", "tools", asked=asked, items=[ANSWER], complete=complete).recognised
    assert read("/mcp", "tools", asked=call(), items=[], complete=complete).recognised


def test_the_beginning_of_a_request_is_enough() -> None:
    """Arguments can be as long as they like; one whose method was lost may be anything, so it is told."""
    part = b'{"method":"tools/call","params":{"name":"look_up","arguments":{"text":"aaaa'
    head = RequestHead(stream_id=1, method="POST", target="/mcp", headers={})
    for body, tools in ((part, {"look_up": 1}), (part[:25], {}), (b"", {})):
        dialect = McpTools(head, "unknown")
        dialect.request_body(body, complete=False)
        got = dialect.reading(complete=True, streaming=False)
        assert (dict(got.server_tool_calls), got.recognised) == (tools, True)


def test_names_that_are_none_are_not_counted() -> None:
    """The call is."""
    got = read("/mcp", "tools", asked=call(7), answer=ANSWER)
    assert (dict(got.server_tool_calls), got.recognised) == ({}, True)


def test_handshakes_and_lists_of_a_known_host_are_no_calls_either() -> None:
    """GitHub serves models and an MCP server under one name."""
    wire = Wire()
    for method in ("initialize", "tools/list", "tools/call"):
        asked = call() | {"method": method}
        wire.send(request("/mcp", "api.githubcopilot.com", asked)).receive(response(ANSWER))
    (only,) = wire.calls
    assert (only.provider, dict(only.reading.server_tool_calls)) == ("github", {"look_up": 1})
