"""
OpenAI Realtime: the WebSocket ``…/realtime`` of OpenAI and Azure, and of xAI and others who speak it; also sessions that only transcribe.

Reference: https://platform.openai.com/docs/api-reference/realtime-server-events
A turn is a response: ``response.created`` … ``response.done``, which has the usage.  Several may be under way.  The transcription of
what was said is billed on top, by a model of its own, and told by its own event: it belongs to the response under way, else it stands alone.
xAI writes the usage beside the response and leaves the one inside empty.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import unquote_plus

from agent.dialects.answers import MAX_TOOL_CALLS, Tally
from agent.dialects.base import Turn
from agent.dialects.openai_usage import read_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, error_word, get, items, mapping, parse, seconds, word
from agent.model import Direction, Evidence, ExtraUsage, Reading, RequestHead, Usage

_PATH = re.compile(r"/realtime(?:/translations)?$")
# Azure's older API names a deployment.
_ASKED = re.compile(r"[?&](?:model|deployment)=([^&#]{1,512})")
_TYPE = re.compile(rb'"type"\s*:\s*"([A-Za-z0-9_.]{1,96})"')
_RESPONSE_ID = re.compile(rb'"response_id"\s*:\s*"([^"\\]{1,256})"')
# The keys before these two are short.
_HEAD_BYTES = 512
_OURS = ("session.", "transcription_session.", "response.", "conversation.", "input_audio_buffer.", "rate_limits.")
_TRANSCRIBED = "conversation.item.input_audio_transcription."
_SERVER_TOOLS = frozenset({"mcp_call", "web_search_call", "x_search_call", "file_search_call"})
# One response of the conversation at a time, and some outside it; a server that begins more without an end is no such server.
_MAX_UNDER_WAY = 64
# A response that is told twice is told soon.
_MAX_REMEMBERED = 256


@dataclass(slots=True)
class _UnderWay:
    started_at_ns: int
    first_token_at_ns: int = 0
    holes: bool = False
    """Messages are missing since it began: its end may be one of them."""
    extra: list[ExtraUsage] = field(default_factory=list)


class OpenAiRealtime(Reader):
    api: ClassVar[str] = "openai/realtime"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        asked = _ASKED.search(request.target)
        self.requested_model = word(unquote_plus(asked[1])) if asked else ""
        self._transcriber = ""
        self._asked_at_ns = 0
        self._asked = False
        """The client asked for a response, and none has begun."""
        self._asked_id = ""
        """How the client named that question, if it did: errors say it again."""
        self._under_way: OrderedDict[str, _UnderWay] = OrderedDict()
        self._done: OrderedDict[str, None] = OrderedDict()

    @property
    def recognised(self) -> bool:
        return self._recognised

    @property
    def buffered_bytes(self) -> int:
        return 1024 * len(self._under_way) + 128 * len(self._done)

    def message(self, direction: Direction, data: bytes, at_ns: int) -> Iterable[Turn]:
        found = _TYPE.search(data, 0, _HEAD_BYTES)
        kind = found[1].decode() if found else ""
        if direction is Direction.SENT:
            if not kind.endswith(".append") and not kind.startswith("conversation."):
                self._on_sent(mapping(parse(data)), at_ns)
            return ()
        if kind.endswith(".delta"):
            self._on_delta(kind, data, at_ns)
            return ()
        # What was found may stand deeper; most events are short.
        event = mapping(parse(data))
        return self._on_event(word(event.get("type")), event, at_ns)

    def missing(self, direction: Direction, at_ns: int) -> Iterable[Turn]:
        if direction is Direction.RECEIVED:
            for turn in self._under_way.values():
                turn.holes = True
        return ()

    def close(self) -> Iterable[Turn]:
        turns = [self._cut(name) for name in list(self._under_way)]
        if self._asked and not turns:
            turns = [Turn(reading=self._read({}, {}, []), started_at_ns=self._asked_at_ns, complete=False)]
        self._asked = False
        return turns

    # ----------------------------------------------------------------------------------------------------------- events

    def _on_sent(self, event: Json, at_ns: int) -> None:
        kind = event.get("type")
        if kind == "response.create":
            self._asked, self._asked_at_ns, self._asked_id = True, at_ns, word(event.get("event_id"))
        elif kind in ("session.update", "transcription_session.update"):
            session = mapping(event.get("session"))
            self.requested_model = self.requested_model or word(session.get("model"))
            self._transcriber = _transcriber(session) or self._transcriber

    def _on_delta(self, kind: str, data: bytes, at_ns: int) -> None:
        found = _RESPONSE_ID.search(data, 0, _HEAD_BYTES) if kind.startswith("response.") else None
        if found is None:
            return
        name = found[1].decode("utf-8", "replace")
        turn = self._under_way.get(name)
        if turn is None and name not in self._done and len(self._under_way) < _MAX_UNDER_WAY:
            turn = self._begin(name, at_ns)  # its beginning was missed
        if turn is not None:
            self._recognised = True
            turn.first_token_at_ns = turn.first_token_at_ns or at_ns

    def _on_event(self, kind: str, event: Json, at_ns: int) -> Iterable[Turn]:
        self._recognised = self._recognised or kind.startswith(_OURS)
        if kind == "response.created":
            name = word(get(event, "response", "id"))
            if name and name not in self._under_way and name not in self._done:
                over = [self._cut(one) for one, turn in list(self._under_way.items()) if turn.holes]
                if len(self._under_way) >= _MAX_UNDER_WAY:
                    over.append(self._cut(next(iter(self._under_way))))
                self._begin(name, at_ns)
                return over
        elif kind == "response.done":
            return self._on_done(event, at_ns)
        elif kind.startswith(_TRANSCRIBED) and kind.endswith((".completed", ".failed")):
            return self._on_transcribed(event, at_ns)
        elif kind == "input_audio_buffer.speech_stopped":
            self._asked_at_ns = at_ns
        elif kind == "input_audio_buffer.committed":
            self._asked_at_ns = self._asked_at_ns or at_ns
        elif kind.startswith(("session.", "transcription_session.")):
            self._on_session(mapping(event.get("session")), kind)
        elif kind == "error" and self._asked and word(get(event, "error", "event_id")) in ("", self._asked_id):
            reading = self._read({"status": "failed"}, {}, [], error=error_word(event.get("error")) or "error")
            return (Turn(reading=reading, started_at_ns=self._started(at_ns).started_at_ns),)
        return ()

    def _on_session(self, session: Json, kind: str) -> None:
        self._transcriber = _transcriber(session) or self._transcriber
        self.served_model = word(session.get("model")) or self.served_model
        if session.get("type") == "transcription" or kind.startswith("transcription_"):
            self.served_model = self._transcriber or self.served_model

    def _on_done(self, event: Json, at_ns: int) -> Iterable[Turn]:
        answer = mapping(event.get("response"))
        name = word(answer.get("id")) or word(event.get("response_id"))
        if name and name in self._done:
            return ()  # told again
        turn = self._under_way.pop(name, None) or self._started(at_ns)
        self._remember(name)
        usage = mapping(answer.get("usage")) or mapping(event.get("usage"))
        error = error_word(get(answer, "status_details", "error")) if answer.get("status") == "failed" else ""
        return (
            Turn(
                reading=self._read(answer, usage, turn.extra, error=error),
                started_at_ns=turn.started_at_ns,
                first_token_at_ns=turn.first_token_at_ns,
            ),
        )

    def _on_transcribed(self, event: Json, at_ns: int) -> Iterable[Turn]:
        usage = mapping(event.get("usage"))
        read = read_usage(usage, provider=self.provider)
        took = seconds(usage.get("seconds"))
        error = error_word(event.get("error"))
        counted = Usage(audio_seconds=took) if took is not None else read.usage
        extra = ExtraUsage(kind="input_audio_transcription", model=self._transcriber, usage=counted)
        stated = took is not None or read.stated
        if stated and self._under_way:
            latest = self._under_way[next(reversed(self._under_way))]
            if len(latest.extra) < MAX_TOOL_CALLS:
                latest.extra.append(extra)
                return ()
        reading = Reading(
            operation="transcription",
            requested_model=self.requested_model,
            served_model=self.served_model or self._transcriber,
            streaming=True,
            extra_usage=(extra,) if stated else (),
            evidence=Evidence.REPORTED if stated else Evidence.NOT_APPLICABLE if error else Evidence.ABSENT,
            error=error,
            remarks=read.remarks,
        )
        return (Turn(reading=reading, started_at_ns=at_ns),)

    # ------------------------------------------------------------------------------------------------------------ turns

    def _begin(self, name: str, at_ns: int) -> _UnderWay:
        turn = self._under_way[name] = self._started(at_ns)
        return turn

    def _started(self, at_ns: int) -> _UnderWay:
        turn = _UnderWay(self._asked_at_ns or at_ns)
        self._asked_at_ns, self._asked = 0, False
        return turn

    def _remember(self, name: str) -> None:
        if name:
            self._done[name] = None
            if len(self._done) > _MAX_REMEMBERED:
                self._done.popitem(last=False)

    def _cut(self, name: str) -> Turn:
        turn = self._under_way.pop(name)
        return Turn(
            reading=self._read({"id": name}, {}, turn.extra),
            started_at_ns=turn.started_at_ns,
            first_token_at_ns=turn.first_token_at_ns,
            complete=False,
        )

    def _read(self, answer: Json, usage: Json, extra: list[ExtraUsage], error: str = "") -> Reading:
        read = read_usage(usage, provider=self.provider, model=self.served_model or self.requested_model)
        tools: list[str] = []
        server_tools = Tally()
        for item in items(answer.get("output")):
            kind, name = word(get(item, "type")), word(get(item, "name"))
            if kind == "function_call" and name and len(tools) < MAX_TOOL_CALLS:
                tools.append(name)
            elif kind in _SERVER_TOOLS:
                server_tools.add(kind.removesuffix("_call"))
        if read.stated:
            evidence = Evidence.REPORTED
        elif extra:
            evidence = Evidence.PARTIAL  # what was heard is known, what was answered is not
        else:
            evidence = Evidence.NOT_APPLICABLE if error else Evidence.ABSENT
        return Reading(
            operation=self.operation,
            requested_model=self.requested_model,
            served_model=word(answer.get("model")) or self.served_model,
            response_id=word(answer.get("id")),
            streaming=True,
            usage=read.usage,
            extra_usage=tuple(extra),
            evidence=evidence,
            finish_reason=word(answer.get("status")),
            tool_calls=tuple(tools),
            server_tool_calls=server_tools.counts,
            reported_cost_usd=read.reported_cost_usd,
            error=error,
            remarks=read.remarks,
        )


def _transcriber(session: Json) -> str:
    """The model that writes down what was said; the older API has it one level higher."""
    return word(get(session, "audio", "input", "transcription", "model")) or word(
        get(session, "input_audio_transcription", "model")
    )
