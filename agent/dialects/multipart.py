"""One field of a form (``multipart/form-data``): uploads name their model there."""

from __future__ import annotations

# Fields stand before or behind the file; what is longer than this is no name.
_MAX_FIELD = 256


def form_field(body: bytes, name: str) -> str:
    """The value of a short text field; "" where there is none.  The file between fields is passed over, not read."""
    for quoted in (f'name="{name}"', f"name={name}"):
        at = body.find(quoted.encode())
        start = body.find(b"\r\n\r\n", at, at + 512) if at >= 0 else -1
        end = body.find(b"\r\n", start + 4, start + 6 + _MAX_FIELD) if start >= 0 else -1
        if end >= 0:
            return body[start + 4 : end].decode("utf-8", "replace")
    return ""
