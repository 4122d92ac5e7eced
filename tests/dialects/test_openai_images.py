"""Pictures: tokens where they are stated, else pieces."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "api.openai.com"


def test_dall_e_is_counted_by_size_and_quality() -> None:
    """Our count, and labelled so."""
    asked = {"model": "dall-e-3", "size": "1024x1792", "quality": "hd"}
    got = read("/v1/images/generations", HOST, asked=asked, answer={"data": [{"url": "x"}]})
    assert (got.usage.images, got.variant, got.evidence) == (1, "1024x1792/hd", Evidence.ESTIMATED)


def test_the_stream_states_tokens_with_its_last_event() -> None:
    """Partial pictures before it state nothing."""
    usage = {"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010}
    items: list[object] = [
        {"type": "image_generation.partial_image", "b64_json": "aGk="},
        {"type": "image_generation.completed", "b64_json": "aGk=", "usage": usage},
    ]
    got = read("/v1/images/generations", HOST, items=items, names=True)
    assert (counts(got), got.evidence) == ((10, 1000), Evidence.REPORTED)


def test_an_upload_names_its_model_in_a_form() -> None:
    """Edits send the picture with them."""
    from agent.dialects.openai_images import OpenAiImages
    from tests.dialects.helpers import head

    dialect = OpenAiImages(head("/v1/images/edits", HOST), "openai")
    dialect.request_body(b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n--b--', True)
    assert dialect.reading(complete=False, streaming=False).requested_model == "gpt-image-1"


def test_a_refusal_is_no_picture() -> None:
    """Nothing was served."""
    got = read("/v1/images/generations", HOST, status=400, answer={"error": {"code": "moderation_blocked"}})
    assert (got.evidence, got.error) == (Evidence.NOT_APPLICABLE, "moderation_blocked")
