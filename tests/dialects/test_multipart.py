"""Fields of forms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.dialects.multipart import form_field

FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def test_a_field_is_found_beside_the_file() -> None:
    """Before it or behind."""
    assert form_field(FORM + b"\0" * 5000, "model") == "whisper-1"
    assert form_field(b"\0" * 5000 + b"\r\n" + FORM, "model") == "whisper-1"
    assert form_field(FORM, "language") == ""


def test_what_is_too_long_is_no_name() -> None:
    """Bounded."""
    assert form_field(b'name="model"\r\n\r\n' + b"x" * 1000 + b"\r\n", "model") == ""


@given(st.binary(max_size=80))
def test_garbage_is_nothing(body: bytes) -> None:
    """Never an exception."""
    assert form_field(b'name="model"' + body, "model") is not None
