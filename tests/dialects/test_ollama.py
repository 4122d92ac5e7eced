"""Ollama: a prompt that was cached is not counted, and not 0."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read


def test_a_cached_prompt_is_left_out_and_not_0() -> None:
    """Go's ``omitempty``."""
    got = read("/api/chat", "ollama:11434", answer={"model": "m", "done": True, "eval_count": 3})
    assert (counts(got), got.remarks, got.evidence) == ((None, 3), ("input_not_stated",), Evidence.REPORTED)


def test_somebody_elses_api_with_the_same_path_is_not_recognised() -> None:
    """``/api/chat`` is what half the world calls its own endpoint."""
    assert not read("/api/chat", "shop", answer={"reply": "hi"}).recognised
    assert read("/api/chat", "ollama", answer={"done": True, "eval_count": 1}).recognised


def test_tool_calls_come_before_the_end() -> None:
    """In a line of their own."""
    lines: list[object] = [
        {"model": "m", "message": {"content": ""}, "done": False},
        {"model": "m", "message": {"tool_calls": [{"function": {"name": "f"}}]}, "done": False},
        {"model": "m", "done": True, "prompt_eval_count": 5, "eval_count": 3, "done_reason": "stop"},
    ]
    got = read("/api/chat", "ollama", items=lines)
    assert (counts(got), got.tool_calls) == ((5, 3), ("f",))
    assert read("/api/chat", "ollama", items=lines[:2], complete=False).evidence is Evidence.ABSENT


def test_old_embeddings_state_nothing() -> None:
    """A call was served all the same."""
    assert read("/api/embeddings", "ollama", answer={"embedding": [0.1]}).evidence is Evidence.ABSENT
