"""
Runs of OpenAI's assistants: ``POST …/threads/{id}/runs`` (also ``/threads/runs`` and ``…/submit_tool_outputs``), streamed or polled.

Reference: https://platform.openai.com/docs/api-reference/runs
A run states its usage when it has ended, and repeats it whenever it is asked for.  A stream has it twice: on the run and, as a part of that, on
each of its steps; only the run's counts.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.openai_usage import read_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, error_word, get, items, last_object, mapping, word
from agent.model import RequestHead, StreamItem

_CREATE = re.compile(r"/threads/(?:runs|[^/]+/runs(?:/[^/]+/(?:submit_tool_outputs|cancel))?)$")
_POLL = re.compile(r"/threads/[^/]+/runs/[^/]+$")
_UNFINISHED = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
_TOOLS = frozenset({"code_interpreter", "file_search"})


class OpenAiRuns(Reader):
    api: ClassVar[str] = "openai/runs"
    operation: ClassVar[str] = "invoke_agent"
    # Other servers of agents have these paths too (LangGraph), and other objects.
    _shape: ClassVar[frozenset[str]] = frozenset({"object"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        pattern = {"POST": _CREATE, "GET": _POLL}.get(request.method)
        return pattern is not None and pattern.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._steps: set[tuple[str, str]] = set()
        if request.method == "GET":
            self.remarks.append("polled")

    def _take(self, answer: Json) -> None:
        if answer.get("object") != "thread.run":
            return
        status = word(answer.get("status"))
        self.response_id = word(answer.get("id"))
        self.served_model = word(answer.get("model"))
        self.finish_reason = word(get(answer, "incomplete_details", "reason")) or status
        self.pending = status in _UNFINISHED
        # Asked to run tools, it says which, at every look: the names are the answer's, not added up.
        calls = items(get(answer, "required_action", "submit_tool_outputs", "tool_calls"))
        self.tools = [name for call in calls if (name := word(get(call, "function", "name")))][:256]
        if answer.get("last_error"):
            self.error = error_word(answer["last_error"])
        self._take_usage(mapping(answer.get("usage")))
        self.final = True

    def _take_item(self, name: str, answer: Json) -> None:
        self._take(answer)
        if answer.get("object") == "thread.run.step":
            for call in items(get(answer, "step_details", "tool_calls")):
                kind, key = word(get(call, "type")), (word(answer.get("id")), word(get(call, "id")))
                if kind in _TOOLS and key not in self._steps and len(self._steps) < 256:
                    self._steps.add(key)
                    self.server_tools.add(kind)

    def item(self, item: StreamItem) -> None:
        if not item.name.endswith(".delta"):
            super().item(item)

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usage"))

    def _take_usage(self, usage: Json) -> None:
        read = read_usage(usage, provider=self.provider, model=self.served_model)
        if read.stated:
            self.usage = read.usage
            self.remarks += read.remarks
