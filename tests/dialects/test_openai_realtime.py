"""Realtime: which turn a figure belongs to, whatever else is said meanwhile; golden sessions have the figures themselves."""

from __future__ import annotations

import pytest

from agent.dialects.openai_realtime import OpenAiRealtime
from agent.model import Direction, Evidence, RequestHead, Usage
from tests.dialects.talk import Talk

PATH = "/v1/realtime?model=gpt-realtime"
USAGE = {"total_tokens": 8, "input_tokens": 5, "output_tokens": 3}
ASK = {"type": "response.create"}
SECONDS = {"type": "duration", "seconds": 2.5}


def begun(name: str) -> dict[str, object]:
    return {"type": "response.created", "response": {"id": name, "status": "in_progress"}}


def done(name: str, status: str = "completed", **more: object) -> dict[str, object]:
    return {"type": "response.done", "response": {"id": name, "status": status, "usage": USAGE, **more}}


def heard(usage: object, kind: str = "completed", **more: object) -> dict[str, object]:
    return {"type": f"conversation.item.input_audio_transcription.{kind}", "item_id": "i", "usage": usage, **more}


def head(target: str) -> RequestHead:
    return RequestHead(stream_id=1, method="GET", target=target, headers={})


@pytest.mark.parametrize(
    ("target", "accepted", "model"),
    [
        ("/v1/realtime?model=gpt-realtime-2", True, "gpt-realtime-2"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=my%20voice", True, "my voice"),
        ("/openai/v1/realtime?model=", True, ""),
        ("/v1/realtime?call_id=rtc_1", True, ""),
        ("/v1/realtime/translations?model=gpt-realtime-translate", True, "gpt-realtime-translate"),
        ("/v1/realtime?" + "&".join(f"x{n}=1" for n in range(500)) + "&model=m", True, "m"),
        ("/v1/realtime/client_secrets", False, ""),
        ("/realtime/v1/websocket", False, ""),
        ("/v1/responses", False, ""),
    ],
)
def test_the_path_says_the_api_and_the_query_the_model(target: str, accepted: bool, model: str) -> None:
    """However long a hostile query is."""
    assert OpenAiRealtime.accepts(head(target)) is accepted
    if accepted:
        assert OpenAiRealtime(head(target), "openai").requested_model == model


def test_several_responses_may_be_under_way() -> None:
    """One of the conversation and some outside it: each end is its own one's."""
    talk = Talk(PATH).hear(begun("a"), begun("b"), done("b"), done("a")).end()
    assert talk.told == [("b", True), ("a", True)]


def test_a_response_that_is_told_twice_counts_once() -> None:
    """By its id."""
    assert Talk(PATH).hear(begun("a"), done("a"), done("a"), begun("a")).end().told == [("a", True)]


def test_an_end_without_a_beginning_counts() -> None:
    """Its beginning was missed; its start is when it came."""
    (turn,) = Talk(PATH).hear(done("a")).turns
    assert (turn.started_at_ns, turn.reading.evidence) == (10, Evidence.REPORTED)


def test_a_beginning_that_was_missed_shows_by_its_pieces() -> None:
    """And is told as cut if it never ends."""
    delta = {"type": "response.output_audio.delta", "response_id": "a", "delta": "AAAA"}
    talk = Talk(PATH).hear(delta, delta).end()
    assert talk.told == [("a", False)]
    assert (talk.turns[0].first_token_at_ns, talk.dialect.recognised) == (10, True)


def test_a_turn_starts_when_speech_ended_or_when_it_was_asked_for() -> None:
    """Time to the first sound is what people feel."""
    stopped, committed = {"type": "input_audio_buffer.speech_stopped"}, {"type": "input_audio_buffer.committed"}
    talk = Talk(PATH).hear(stopped, committed, begun("a"), done("a"))
    talk.hear(stopped, committed).say(ASK).hear(begun("b"), done("b"))
    assert [turn.started_at_ns for turn in talk.turns] == [10, 70]


def test_an_end_that_was_missed_is_told_when_the_next_response_begins() -> None:
    """Not hours later; without a missing message two responses are two at once."""
    talk = Talk(PATH).hear(begun("a")).miss(Direction.RECEIVED).hear(begun("b"))
    assert talk.told == [("a", False)]
    assert talk.miss(Direction.SENT).hear(begun("c")).told == [("a", False)]


def test_an_error_is_the_turns_only_if_it_speaks_of_it() -> None:
    """An error names the client's event; one of another event leaves the question waiting."""
    other = {"type": "error", "error": {"type": "invalid_request_error", "event_id": "update_1"}}
    mine = {"type": "error", "error": {"type": "invalid_request_error", "code": "rate_limit_exceeded", "event_id": "q"}}
    talk = Talk(PATH).hear(mine).say({**ASK, "event_id": "q"}).hear(other, mine, mine)
    (turn,) = talk.turns
    assert (turn.reading.error, turn.reading.evidence) == ("rate_limit_exceeded", Evidence.NOT_APPLICABLE)
    assert (turn.started_at_ns, turn.complete) == (20, True)
    assert talk.end().told == [("", True)]


def test_a_question_without_an_answer_is_cut() -> None:
    """What it cost is not known, which is not nothing."""
    (turn,) = Talk(PATH).say(ASK).end().turns
    assert (turn.complete, turn.reading.evidence, turn.started_at_ns) == (False, Evidence.ABSENT, 10)


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_a_response_that_did_not_complete_is_billed_what_it_states(status: str) -> None:
    """An interruption does not take back the tokens."""
    details = {"type": status, "error": {"type": "server_error", "code": None}}
    (turn,) = Talk(PATH).hear(done("a", status, status_details=details)).turns
    assert (turn.reading.evidence, turn.reading.finish_reason) == (Evidence.REPORTED, status)
    assert turn.reading.error == ("server_error" if status == "failed" else "")


def test_transcription_belongs_to_the_response_under_way_else_it_stands_alone() -> None:
    """Billed on top, by a model of its own."""
    update = {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
    talk = Talk(PATH).say(update).hear(begun("a"), heard(SECONDS), done("a"), heard(SECONDS))
    inside, alone = (turn.reading for turn in talk.turns)
    for reading in (inside, alone):
        (extra,) = reading.extra_usage
        assert (extra.kind, extra.model, extra.usage) == (
            "input_audio_transcription",
            "whisper-1",
            Usage(audio_seconds=2.5),
        )
    assert (inside.operation, alone.operation, alone.usage) == ("chat", "transcription", Usage())


def test_a_transcription_that_failed_or_says_nothing_is_told_as_such() -> None:
    """Failed: nothing to bill; without usage: not known."""
    talk = Talk(PATH).hear(heard(None, "failed", error={"code": "audio_unintelligible"}), heard(None))
    assert [(turn.reading.error, turn.reading.evidence) for turn in talk.turns] == [
        ("audio_unintelligible", Evidence.NOT_APPLICABLE),
        ("", Evidence.ABSENT),
    ]


def test_a_cut_response_with_a_transcription_is_partial() -> None:
    """What was heard is known, what was answered is not."""
    (turn,) = Talk(PATH).hear(begun("a"), heard(SECONDS)).end().turns
    assert (turn.complete, turn.reading.evidence) == (False, Evidence.PARTIAL)


def test_rate_limits_and_other_events_are_no_turns() -> None:
    """Nor sound, nor text in pieces, nor what is no JSON."""
    talk = Talk(PATH).hear({"type": "rate_limits.updated", "rate_limits": []}, b"\x00", [], {"type": 7}, "x")
    talk.say({"type": "input_audio_buffer.append", "audio": "AAAA"}, b"", {"type": "conversation.item.create"})
    assert talk.end().turns == []


def test_servers_that_begin_without_end_are_bounded() -> None:
    """The oldest is told as cut; nothing is lost in silence."""
    talk = Talk(PATH).hear(*[begun(f"r{number}") for number in range(5000)])
    assert len(talk.turns) == 5000 - 64
    assert talk.dialect.buffered_bytes <= 64 * 1024
    assert len(talk.end().turns) == 5000


def test_tools_are_named() -> None:
    """The application's in order, the provider's by count."""
    output = [
        {"type": "function_call", "name": "look_up"},
        {"type": "mcp_call", "name": "search"},
        {"type": "mcp_call", "name": "search"},
        {"type": "message"},
    ]
    (turn,) = Talk(PATH).hear(done("a", output=output)).turns
    assert (turn.reading.tool_calls, dict(turn.reading.server_tool_calls)) == (("look_up",), {"mcp": 2})
