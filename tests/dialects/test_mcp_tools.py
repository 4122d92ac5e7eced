"""Tool calls of the Model Context Protocol."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_a_tool_call_is_named_and_free() -> None:
    """Nothing to bill; a failed tool says so."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look_up", "arguments": {}}}
    got = read("/mcp", "tools", asked=asked, items=[{"jsonrpc": "2.0", "id": 1, "result": {"isError": True}}])
    assert (dict(got.server_tool_calls), got.evidence, got.error) == (
        {"look_up": 1},
        Evidence.NOT_APPLICABLE,
        "tool_error",
    )


def test_other_methods_are_no_calls() -> None:
    """Handshakes and lists."""
    assert not read("/mcp", "tools", asked={"method": "initialize"}, answer={"result": {}}).recognised
    assert read("/mcp", "tools", asked={"method": "tools/call"}, answer={"result": {}}).recognised
