"""
What most dialects do alike: name the model, take values from a document or from the items of a stream, and say how sure they are.

A dialect that inherits says where the values stand: ``_take`` is given the whole answer, or each item of a stream that ``_telling``
lets pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from agent.dialects.answers import MAX_TOOL_CALLS, Tally, evidence_without_usage, header_cost, model_in_part
from agent.dialects.base import Counter
from agent.dialects.values import Json, error_word, get, parse, word
from agent.model import Evidence, ExtraUsage, Reading, RequestHead, ResponseHead, StreamItem, Usage

NOTHING = Usage()


class Reader:
    """One instance reads one exchange; the fields below are what it has learned so far."""

    arrays_are_streams: ClassVar[bool] = False
    lines_are_streams: ClassVar[bool] = False
    operation: ClassVar[str] = "chat"
    streams: ClassVar[bool | None] = None
    """False: items are how the body is written, not how the answer came (results of a batch as JSON lines)."""
    _telling: ClassVar[re.Pattern[bytes] | None] = None
    """What an item must have to be parsed; None: every item is."""
    _shape: ClassVar[frozenset[str]] = frozenset()
    """An answer to a path that others use too must have one of these keys."""

    def __init__(self, request: RequestHead, provider: str) -> None:
        self.request = request
        self.provider = provider
        self.status = 0
        self.headers: dict[str, str] = {}
        self.requested_model = ""
        self.requested_tier = ""
        self.served_model = ""
        self.response_id = ""
        self.finish_reason = ""
        self.tier = ""
        self.error = ""
        self.variant = ""
        self.usage = NOTHING
        self.final = False
        """The usage is the provider's last word."""
        self.pending = False
        """The answer is a receipt: what it costs comes with a later question, or it costs nothing."""
        self.estimated = False
        """The usage is our own count."""
        self.free = False
        """The provider charges nothing for this."""
        self.extra: list[ExtraUsage] = []
        self.tools: list[str] = []
        self.server_tools = Tally()
        self.cost: Decimal | None = None
        self.remarks: list[str] = []
        self.object_ids: tuple[str, ...] = ()
        self._recognised = False
        self._answered = False
        self.new_counter: Callable[[], Counter] | None = None
        """Sessions alone."""

    # ------------------------------------------------------------------------------------------- what the pipeline calls

    def request_body(self, body: bytes, complete: bool) -> None:
        asked = parse(body) if complete and body else None
        if isinstance(asked, dict):
            self.requested_tier = word(asked.get("service_tier"))
            self._ask(asked)
        elif not self.requested_model:
            self.requested_model = model_in_part(body)

    def response_head(self, head: ResponseHead) -> None:
        self.status = head.status
        self.headers = dict(head.headers)
        self.cost = header_cost(head)

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, list) and len(answer) == 1:
            answer = answer[0]
        if isinstance(answer, dict):
            self._error_in(answer)
            self._seen(answer)
            self.final = True
            self._take(answer)
        elif not complete:
            self._take_part(body)

    def item(self, item: StreamItem) -> None:
        if item.name.startswith(("exception:", "error:")):
            self.error = word(item.name.partition(":")[2]) or "error"
            return
        data = item.data
        if self._answered and self._telling is not None and self._telling.search(data) is None:
            return
        answer = parse(data)
        if isinstance(answer, dict):
            self._answered = True
            self._error_in(answer)
            self._seen(answer)
            self._take_item(item.name, answer)

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        self._end(complete=complete)
        return Reading(
            operation=self.operation,
            requested_model=self.requested_model,
            served_model=self.served_model,
            response_id=self.response_id,
            streaming=streaming if self.streams is None else self.streams,
            usage=self.usage,
            extra_usage=tuple(self.extra[:MAX_TOOL_CALLS]),
            evidence=self._evidence(complete and streaming),
            finish_reason=self.finish_reason,
            tool_calls=tuple(self.tools),
            server_tool_calls=self.server_tools.counts,
            service_tier=self.tier or self.requested_tier,
            reported_cost_usd=self.cost,
            error=self.error,
            remarks=tuple(dict.fromkeys(self.remarks)),
            variant=self.variant,
            object_ids=self.object_ids,
            # Of a part nothing can be said.
            recognised=self._recognised or not self._shape or not complete,
        )

    # ------------------------------------------------------------------------------------------- what a dialect says

    def _ask(self, asked: Json) -> None:
        """The request's body."""
        self.requested_model = self.requested_model or word(asked.get("model"))

    def _take(self, answer: Json) -> None:
        """A whole answer, or one item of a stream."""

    def _take_item(self, name: str, answer: Json) -> None:
        """One item of a stream, where it is told by its name."""
        self._take(answer)

    def _take_part(self, body: bytes) -> None:
        """The beginning of an answer that was cut."""

    def _end(self, *, complete: bool) -> None:
        """The answer is over."""

    # ------------------------------------------------------------------------------------------- helpers

    def _call_tool(self, name: object) -> None:
        found = word(name)
        if found and len(self.tools) < MAX_TOOL_CALLS:
            self.tools.append(found)

    def _count(self, **counters: int | float | None) -> None:
        """State counters; what is None is not stated, and does not take back what was."""
        stated = {name: value for name, value in counters.items() if value is not None}
        if stated:
            self.usage = replace(self.usage, **stated)  # type: ignore[arg-type]  # each counter's own type

    def _seen(self, answer: Json) -> None:
        if self._shape and not self._shape.isdisjoint(answer):
            self._recognised = True

    def _error_in(self, answer: Json) -> None:
        error = answer.get("error")
        if error:
            self.error = word(get(error, "status")) or error_word(error)
        elif self.status >= 400:
            self.error = error_word(answer)

    def _evidence(self, whole_stream: bool) -> Evidence:
        if self.free:
            return Evidence.NOT_APPLICABLE
        if self.usage != NOTHING:
            if self.estimated:
                return Evidence.ESTIMATED
            return Evidence.REPORTED if self.final or whole_stream else Evidence.PARTIAL
        if self.pending:
            return Evidence.NOT_APPLICABLE
        return evidence_without_usage(self.status, served=not self.error)


def header_count(headers: dict[str, str], name: str) -> int | None:
    """A counter in a header; None for anything else."""
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None
