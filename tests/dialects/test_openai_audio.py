"""Sound, in and out."""

from __future__ import annotations

from agent.dialects.openai_audio import OpenAiSpeech, OpenAiTranscription
from agent.model import Evidence, ResponseHead
from tests.dialects.helpers import counts, head, read

HOST = "api.openai.com"


def test_tokens_have_details_with_a_name_of_their_own() -> None:
    """``input_token_details``, in the singular."""
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"audio_tokens": 14},
        "output_tokens": 5,
        "total_tokens": 19,
    }
    got = read("/v1/audio/transcriptions", HOST, answer={"text": "x", "usage": usage})
    assert (counts(got), got.usage.audio_input_tokens) == ((14, 5), 14)


def test_whisper_states_seconds() -> None:
    """As a number in its usage, or as text in its verbose answer."""
    for answer in ({"usage": {"type": "duration", "seconds": 9}}, {"duration": 9.0}, {"duration": "9.0"}):
        assert read("/v1/audio/transcriptions", HOST, answer=answer).usage.audio_seconds == 9
    assert read("/v1/audio/transcriptions", HOST, answer={"duration": "long"}).evidence is Evidence.ABSENT


def test_the_model_stands_in_the_form() -> None:
    """Beside the file."""
    one = OpenAiTranscription(head("/v1/audio/transcriptions", HOST), "openai")
    one.request_body(b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b', False)
    assert one.reading(complete=False, streaming=False).requested_model == "whisper-1"


def test_a_stream_of_a_transcription_ends_on_usage() -> None:
    """``transcript.text.done``."""
    items: list[object] = [
        {"type": "transcript.text.delta", "delta": "x"},
        {
            "type": "transcript.text.done",
            "text": "x",
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        },
    ]
    got = read("/v1/audio/transcriptions", HOST, items=items, complete=False)
    assert (counts(got), got.evidence) == ((3, 2), Evidence.REPORTED)


def test_speech_is_our_own_count_and_only_of_what_was_served() -> None:
    """Characters, not bytes."""
    for status, expected in ((200, (5, Evidence.ESTIMATED)), (401, (None, Evidence.NOT_APPLICABLE))):
        one = OpenAiSpeech(head("/v1/audio/speech", HOST), "openai")
        one.request_body('{"model": "tts-1", "input": "héllo"}'.encode(), True)
        one.response_head(ResponseHead(stream_id=1, status=status, headers={}))
        got = one.reading(complete=True, streaming=False)
        assert (got.usage.characters, got.evidence) == expected
