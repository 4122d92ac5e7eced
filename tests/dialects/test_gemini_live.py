"""Gemini Live: where a turn ends, whose the usage is, and the total that leaves thoughts out."""

from __future__ import annotations

import pytest

from agent.dialects.gemini_live import GeminiLive
from agent.model import Direction, Evidence, RequestHead
from tests.dialects.talk import Talk

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SAYS = {"serverContent": {"modelTurn": {"parts": [{"text": "x"}]}}}
OVER = {"serverContent": {"turnComplete": True}}


def talk() -> Talk:
    return Talk(PATH, "generativelanguage.googleapis.com").say({"setup": {"model": "models/gemini-3.8-live"}})


def usage(prompt: int, response: int, **more: object) -> dict[str, object]:
    counts = {"promptTokenCount": prompt, "responseTokenCount": response, "totalTokenCount": prompt + response}
    return {"usageMetadata": {**counts, **more}}


def figures(one: Talk) -> list[tuple[int | None, int | None, bool]]:
    return [(turn.reading.usage.input_tokens, turn.reading.usage.output_tokens, turn.complete) for turn in one.turns]


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        (PATH, True),
        (PATH + "Constrained", True),
        ("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", True),
        ("/v1beta/models/m:generateContent", False),
        (PATH + "Music", False),
    ],
)
def test_the_path_says_the_api(path: str, accepted: bool) -> None:
    """Of the Gemini API, with or without a token of limited use, and of Vertex AI."""
    assert GeminiLive.accepts(RequestHead(stream_id=1, method="GET", target=path, headers={})) is accepted


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("models/gemini-3.8-live", "gemini-3.8-live"),
        ("projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash", "gemini-live-2.5-flash"),
        (7, ""),
    ],
)
def test_the_setup_names_the_model(model: object, name: str) -> None:
    """Without the path that stands before it."""
    one = Talk(PATH).say({"setup": {"model": model}}).hear(SAYS, OVER | usage(5, 3))
    assert one.turns[0].reading.requested_model == name


@pytest.mark.parametrize("behind", [False, True], ids=["with the end", "behind the end"])
def test_usage_with_the_end_of_the_turn_or_behind_it(behind: bool) -> None:
    """One turn either way."""
    one = talk().hear(SAYS, *([OVER, usage(5, 3)] if behind else [OVER | usage(5, 3)])).end()
    assert figures(one) == [(5, 3, True)]


def test_usage_said_again_with_the_same_prompt_is_a_running_total() -> None:
    """The last one counts."""
    assert figures(talk().hear(SAYS, usage(5, 1), SAYS, usage(5, 3), OVER).end()) == [(5, 3, True)]


def test_usage_with_another_prompt_is_another_answer() -> None:
    """A model may answer several times in what the client sees as one turn."""
    assert figures(talk().hear(SAYS, usage(5, 3), usage(9, 2), OVER).end()) == [(5, 3, True), (9, 2, True)]


def test_thoughts_stand_outside_of_this_apis_total() -> None:
    """522 + 42 = 564, and 136 thoughts on top are billed as output; a total that holds them is believed as well."""
    outside = talk().hear(SAYS, OVER | usage(522, 42, thoughtsTokenCount=136))
    inside = talk().hear(SAYS, OVER | usage(522, 42, thoughtsTokenCount=136, totalTokenCount=700))
    for one in (outside, inside):
        assert figures(one) == [(522, 178, True)]
        assert one.turns[0].reading.remarks == ()


def test_a_tool_call_that_states_usage_ends_a_turn() -> None:
    """What the tool found is the prompt of another answer."""
    call = {"toolCall": {"functionCalls": [{"name": "look_up"}]}}
    found = {"toolResponse": {"functionResponses": []}}
    together = talk().hear(call | usage(5, 3)).say(found).hear(SAYS, OVER | usage(9, 2))
    behind = talk().hear(call, usage(5, 3)).say(found).hear(SAYS, OVER | usage(9, 2))
    for one in (together, behind):
        assert figures(one) == [(5, 3, True), (9, 2, True)]
        assert [turn.reading.tool_calls for turn in one.turns] == [("look_up",), ()]


def test_turns_without_usage_are_told_as_such() -> None:
    """Their usage never came: absent, when the next one begins or at the end."""
    one = talk().hear(SAYS, OVER, SAYS, OVER).end()
    assert [(turn.reading.evidence, turn.complete) for turn in one.turns] == [(Evidence.ABSENT, True)] * 2


def test_an_interrupted_turn_says_so() -> None:
    """And is billed what it states."""
    one = talk().hear(SAYS, {"serverContent": {"interrupted": True}}, OVER | usage(5, 1))
    assert [(turn.reading.finish_reason, turn.reading.evidence) for turn in one.turns] == [
        ("interrupted", Evidence.REPORTED)
    ]


def test_a_turn_that_was_cut_is_partial_where_it_stated_something() -> None:
    """Else absent; a session in which nothing was said is nothing."""
    assert [turn.reading.evidence for turn in talk().hear(SAYS, usage(5, 1), SAYS).end().turns] == [Evidence.PARTIAL]
    assert [turn.reading.evidence for turn in talk().hear(SAYS).end().turns] == [Evidence.ABSENT]
    assert talk().hear({"setupComplete": {}}).say({"realtimeInput": {}}).end().turns == []


def test_a_missing_message_may_have_been_another_turns_end() -> None:
    """So what is stated next is a lower bound of what was used."""
    one = talk().hear(SAYS).miss(Direction.RECEIVED).hear(SAYS, OVER | usage(5, 3)).hear(SAYS, OVER | usage(9, 2))
    assert [turn.reading.evidence for turn in one.turns] == [Evidence.PARTIAL, Evidence.REPORTED]


def test_an_error_is_a_turn_without_a_bill() -> None:
    """By its word, never its message."""
    one = talk().hear({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "no"}})
    assert [(turn.reading.error, turn.reading.evidence) for turn in one.turns] == [
        ("RESOURCE_EXHAUSTED", Evidence.NOT_APPLICABLE)
    ]


def test_searches_are_counted() -> None:
    """Each query once."""
    grounded = {"serverContent": {"groundingMetadata": {"webSearchQueries": ["a", "b", "a"]}}}
    one = talk().hear(SAYS, grounded, grounded, OVER | usage(5, 3))
    assert dict(one.turns[0].reading.server_tool_calls) == {"google_search_queries": 2}


def test_time_is_from_the_last_thing_said() -> None:
    """Sound has no end that is told: the last piece of it is the question."""
    one = talk().say({"realtimeInput": {}}, {"realtimeInput": {}}).hear(SAYS, SAYS, OVER | usage(5, 3))
    assert [(turn.started_at_ns, turn.first_token_at_ns) for turn in one.turns] == [(30, 40)]


def test_names_without_end_are_bounded() -> None:
    """A server that calls tools forever."""
    one = talk()
    for number in range(400):
        one.hear({"toolCall": {"functionCalls": [{"name": f"f{number}"}] * 10}})
        one.hear({"serverContent": {"groundingMetadata": {"webSearchQueries": [f"q{number}"] * 3}}})
    assert one.dialect.buffered_bytes <= 256 * 512
