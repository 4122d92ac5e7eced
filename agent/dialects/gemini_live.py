"""
Gemini Live: the WebSocket ``BidiGenerateContent`` of the Gemini API and of Vertex AI; JSON in text or in binary frames.

Reference: https://ai.google.dev/api/live
The first message of the client names the model.  A turn ends with ``turnComplete``, or with a call of a tool that states usage; its
``usageMetadata`` comes with its last message, or in one of its own behind it.  Said again with the same prompt it is a running total,
with another prompt it is another answer.  The total is prompt and response here: thoughts come on top of it, and are billed as output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from agent.dialects.answers import MAX_TOOL_CALLS
from agent.dialects.base import Turn
from agent.dialects.gemini_generate import generate_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, error_word, get, items, mapping, parse, word
from agent.model import Direction, Evidence, Reading, RequestHead

_PATH = re.compile(r"[./]BidiGenerateContent(?:Constrained)?$")
# What begins a message of the client that matters; older clients write with underscores.
_SENT = re.compile(rb'\s*\{\s*"(setup|(?:client_?[cC]ontent|realtime_?[iI]nput|tool_?[rR]esponse))"')
# What a message of the server must have to be more than a piece of sound or text.
_TELLING = re.compile(
    rb'"(?:usageMetadata|turnComplete|interrupted|toolCall|error|setupComplete|groundingMetadata|functionCall)"'
)
_CONTENT = ("modelTurn", "outputTranscription")
_COUNTERS = ("promptTokenCount", "responseTokenCount", "candidatesTokenCount", "totalTokenCount")


class GeminiLive(Reader):
    api: ClassVar[str] = "gemini/live"
    operation: ClassVar[str] = "generate_content"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._asked_at_ns = 0
        self._forget()

    def _forget(self) -> None:
        """What follows is of the next turn."""
        self._started_at_ns = self._first_token_at_ns = 0
        self._begun = False
        """The model has said something."""
        self._over = False
        """The turn is complete; only its usage may still come."""
        self._holes = False
        """Messages are missing: one of them may have been the end of another turn, with its usage."""
        self._stated: Json = {}
        self._stated_bytes = 0
        self._called: list[str] = []
        self._queries: set[str] = set()
        self._reason = ""

    @property
    def recognised(self) -> bool:
        return self._recognised

    @property
    def buffered_bytes(self) -> int:
        return 256 * (len(self._called) + len(self._queries)) + self._stated_bytes

    def message(self, direction: Direction, data: bytes, at_ns: int) -> Iterable[Turn]:
        if direction is Direction.SENT:
            return self._on_sent(data, at_ns)
        if self._recognised and self._begun and not self._over and _TELLING.search(data) is None:
            self._first_token_at_ns = self._first_token_at_ns or at_ns
            return ()
        message = mapping(parse(data))
        return self._on_received(message, at_ns, len(data)) if message else ()

    def missing(self, direction: Direction, at_ns: int) -> Iterable[Turn]:
        if direction is Direction.RECEIVED:
            self._start(at_ns)
            self._begun = self._holes = True
        return ()

    def close(self) -> Iterable[Turn]:
        if self._begun or self._stated:
            return (self._turn(complete=self._over),)
        return ()

    def _on_sent(self, data: bytes, at_ns: int) -> Iterable[Turn]:
        found = _SENT.match(data)
        if found is None:
            return ()
        if found[1] == b"setup":
            # "models/…", and with Vertex AI the project's whole path.
            model = word(get(parse(data), "setup", "model"))
            self.requested_model = model.rpartition("/")[2] or self.requested_model
            return ()
        if not self._begun:
            self._asked_at_ns = at_ns  # of what is said without an end, the last piece
        # What the tool found is the prompt of another answer.
        return (self._turn(complete=True),) if found[1].startswith(b"tool") and self._stated else ()

    def _on_received(self, message: Json, at_ns: int, size: int) -> Iterable[Turn]:
        content, usage = mapping(message.get("serverContent")), mapping(message.get("usageMetadata"))
        called = items(get(message, "toolCall", "functionCalls"))
        speaks = bool(called) or any(name in content for name in _CONTENT)
        if "setupComplete" in message or content or called or usage:
            self._recognised = True
        turns: list[Turn] = []
        if self._over and speaks:
            turns.append(self._turn(complete=True))  # the last one's usage never came
        if speaks:
            self._start(at_ns)
            self._begun = True
            self._first_token_at_ns = self._first_token_at_ns or at_ns
        for call in called[:MAX_TOOL_CALLS]:
            name = word(get(call, "name"))
            if name and len(self._called) < MAX_TOOL_CALLS:
                self._called.append(name)
        for query in items(get(content, "groundingMetadata", "webSearchQueries")):
            if isinstance(query, str) and len(self._queries) < MAX_TOOL_CALLS:
                self._queries.add(word(query))
        if any(name in usage for name in _COUNTERS):
            if self._stated and self._stated.get("promptTokenCount") != usage.get("promptTokenCount"):
                turns.append(self._turn(complete=True))
            self._start(at_ns)
            self._stated, self._stated_bytes = usage, size
        if content.get("interrupted") is True:
            self._reason = "interrupted"
        if message.get("error"):
            turns.append(self._failed(message, at_ns))
        if content.get("turnComplete") is True:
            self._reason = self._reason or word(content.get("turnCompleteReason")) or "turn_complete"
            self._over = self._begun or bool(self._stated)
        if self._stated and (self._over or called):
            turns.append(self._turn(complete=True))
        return turns

    def _start(self, at_ns: int) -> None:
        if not self._started_at_ns:
            self._started_at_ns = self._asked_at_ns or at_ns
            self._asked_at_ns = 0

    def _failed(self, message: Json, at_ns: int) -> Turn:
        self.error = word(get(message, "error", "status")) or error_word(message["error"])
        self._start(at_ns)
        turn = self._turn(complete=True)
        self.error = ""
        return turn

    def _turn(self, *, complete: bool) -> Turn:
        remarks: list[str] = []
        usage = generate_usage(_as_generated(self._stated), remarks)
        if self._stated:
            evidence = Evidence.REPORTED if complete and not self._holes else Evidence.PARTIAL
        else:
            evidence = Evidence.NOT_APPLICABLE if self.error else Evidence.ABSENT
        turn = Turn(
            reading=Reading(
                operation=self.operation,
                requested_model=self.requested_model,
                streaming=True,
                usage=usage,
                evidence=evidence,
                finish_reason=self._reason,
                tool_calls=tuple(self._called),
                server_tool_calls={"google_search_queries": len(self._queries)} if self._queries else {},
                service_tier=word(self._stated.get("serviceTier")) or word(self._stated.get("trafficType")),
                error=self.error,
                remarks=tuple(dict.fromkeys(remarks)),
            ),
            started_at_ns=self._started_at_ns,
            first_token_at_ns=self._first_token_at_ns,
            complete=complete,
        )
        self._forget()
        return turn


def _as_generated(usage: Json) -> Json:
    """In the words of ``generateContent``, whose total holds the thoughts."""
    if not usage:
        return usage
    made = usage.get("responseTokenCount", usage.get("candidatesTokenCount"))
    details = usage.get("responseTokensDetails", usage.get("candidatesTokensDetails"))
    said = {**usage, "candidatesTokenCount": made, "candidatesTokensDetails": details}
    total, thoughts = count(usage.get("totalTokenCount")), count(usage.get("thoughtsTokenCount"))
    parts = (count(usage.get("promptTokenCount")), count(usage.get("toolUsePromptTokenCount")), count(made))
    if total is not None and thoughts and total == sum(part or 0 for part in parts):
        said["totalTokenCount"] = total + thoughts
    return said
