"""Responses over a WebSocket: an answer for each question, in their order, also where one of the two was missed."""

from __future__ import annotations

import pytest

from agent.dialects.openai_responses_socket import OpenAiResponsesSocket
from agent.model import Direction, Evidence, RequestHead
from tests.dialects.talk import Talk

PATH = "/v1/responses"
USAGE = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
DELTA = {"type": "response.output_text.delta", "delta": "x"}


def ask(model: str) -> dict[str, object]:
    return {"type": "response.create", "model": model, "input": []}


def begun(name: str) -> dict[str, object]:
    return {"type": "response.created", "response": {"id": name, "status": "in_progress", "model": "m"}}


def done(name: str, kind: str = "completed") -> dict[str, object]:
    return {"type": f"response.{kind}", "response": {"id": name, "status": kind, "model": "m", "usage": USAGE}}


def error(code: str) -> dict[str, object]:
    return {"type": "error", "status": 400, "error": {"type": "invalid_request_error", "code": code}}


@pytest.mark.parametrize(
    ("path", "accepted"), [("/v1/responses", True), ("/openai/v1/responses", True), ("/v1/responses/resp_1", False)]
)
def test_the_path_says_the_api(path: str, accepted: bool) -> None:
    """The same one that HTTP posts to."""
    head = RequestHead(stream_id=1, method="GET", target=path, headers={})
    assert OpenAiResponsesSocket.accepts(head) is accepted


def test_each_answer_has_its_question_and_its_times() -> None:
    """Model asked for, start, first token."""
    talk = Talk(PATH).say(ask("a")).hear(begun("1"), DELTA, DELTA, done("1")).say(ask("b")).hear(begun("2"), done("2"))
    assert [(turn.reading.requested_model, turn.reading.response_id) for turn in talk.turns] == [("a", "1"), ("b", "2")]
    assert [(turn.started_at_ns, turn.first_token_at_ns) for turn in talk.turns] == [(10, 30), (60, 0)]
    assert talk.end().turns[2:] == []


def test_questions_ahead_of_their_answers() -> None:
    """Answered in their order; what was not answered at the end is cut."""
    talk = Talk(PATH).say(ask("a"), ask("b"), ask("c")).hear(begun("1"), done("1"), error("bad"), begun("3")).end()
    assert [(turn.reading.requested_model, turn.reading.error, turn.complete) for turn in talk.turns] == [
        ("a", "", True),
        ("b", "bad", True),
        ("c", "", False),
    ]
    assert [turn.reading.evidence for turn in talk.turns] == [
        Evidence.REPORTED,
        Evidence.NOT_APPLICABLE,
        Evidence.ABSENT,
    ]


def test_an_error_of_the_connection_is_no_turn() -> None:
    """ "Open for too long", with nothing asked."""
    assert Talk(PATH).say(ask("a")).hear(done("1"), error("limit")).end().told == [("1", True)]


def test_an_error_whose_question_was_missed_is_a_turn() -> None:
    """Somebody asked it."""
    (turn,) = Talk(PATH).miss(Direction.SENT).hear(error("bad")).turns
    assert turn.reading.error == "bad"


def test_an_end_that_was_missed_is_told_by_the_next_answer() -> None:
    """As cut, and with its own question."""
    talk = Talk(PATH).say(ask("a"), ask("b")).hear(begun("1")).miss(Direction.RECEIVED).hear(begun("2"), done("2"))
    assert [(turn.reading.requested_model, *told) for turn, told in zip(talk.turns, talk.told, strict=True)] == [
        ("a", "1", False),
        ("b", "2", True),
    ]


def test_an_answer_missed_whole_does_not_take_the_next_question() -> None:
    """Clients ask again when they have their answer."""
    talk = Talk(PATH).say(ask("a")).miss(Direction.RECEIVED).say(ask("b")).hear(begun("2"), done("2"))
    assert [(turn.reading.requested_model, turn.complete) for turn in talk.turns] == [("a", False), ("b", True)]


def test_an_answer_without_a_question_counts() -> None:
    """The question was lost: the model asked for is not known, the figures are."""
    (turn,) = Talk(PATH).hear(begun("1"), done("1", "incomplete")).turns
    assert (turn.reading.requested_model, turn.reading.evidence) == ("", Evidence.REPORTED)


def test_an_error_alone_does_not_make_it_ours() -> None:
    """On an unknown host anybody's JSON has errors."""
    talk = Talk(PATH, "app.example").say(ask("a")).hear(error("bad"))
    assert not talk.dialect.recognised
    assert talk.hear(begun("1")).dialect.recognised


def test_who_asks_without_end_is_bounded() -> None:
    """The oldest question is told as cut."""
    talk = Talk(PATH).say(*[ask("m")] * 1000)
    assert len(talk.turns) == 1000 - 64
    assert len(talk.end().turns) == 1000


def test_what_an_answer_keeps_is_accounted() -> None:
    """Its beginning repeats instructions and tools."""
    long = begun("1") | {"instructions": "x" * 100_000}
    talk = Talk(PATH).say(ask("a")).hear(long)
    assert talk.dialect.buffered_bytes > 100_000
    assert talk.hear(done("1")).dialect.buffered_bytes <= 1024


def test_lanes_run_side_by_side() -> None:
    """Each event goes to the answer of its ``stream_id``, wherever it stands; a metadata key of that name is none."""
    talk = Talk(PATH).say(ask("a") | {"stream_id": "x"}, ask("b") | {"stream_id": "y"}, ask("c"))
    talk.hear(begun("1") | {"stream_id": "x"}, {"stream_id": "y"} | begun("2"), begun("3"))
    talk.hear(DELTA | {"stream_id": "y"}, DELTA)
    plain = begun("3") | {"type": "response.in_progress"}
    plain["response"] = {**plain["response"], "metadata": {"stream_id": "x"}}  # type: ignore[dict-item]
    talk.hear(plain, done("2") | {"stream_id": "y"}, done("3"), error("bad") | {"stream_id": "x"})
    assert [(turn.reading.requested_model, turn.reading.response_id, turn.complete) for turn in talk.turns] == [
        ("b", "2", True),
        ("c", "3", True),
        ("a", "1", True),
    ]
    assert [(turn.started_at_ns, turn.first_token_at_ns) for turn in talk.turns] == [(20, 70), (30, 80), (10, 0)]
    assert talk.turns[2].reading.error == "bad"
    assert talk.end().turns[3:] == []


def test_a_steered_answer_is_followed_by_one_without_a_question() -> None:
    """What becomes of the steering is no answer."""
    steered = {"type": "response.steer.accepted", "id": "s", "previous_response_id": "1", "steer": {}}
    pending = {"type": "response.steer.pending", "id": "s", "previous_response_id": "1"}
    talk = Talk(PATH).say(ask("a")).hear(begun("1"), DELTA).say({"type": "response.steer", "input": "x"}).hear(pending)
    talk.hear(done("1", "incomplete"), steered, begun("2"), done("2"), steered)
    assert talk.end().told == [("1", True), ("2", True)]


def test_lanes_without_end_are_bounded() -> None:
    """The one that was silent longest goes, and what was open in it is told as cut."""
    talk = Talk(PATH).say(*[ask("m") | {"stream_id": f"lane{number}"} for number in range(1000)])
    assert len(talk.turns) == 1000 - 64
    assert talk.dialect.buffered_bytes <= 64 * 2048
    assert len(talk.end().turns) == 1000
