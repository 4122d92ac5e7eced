"""Frames: what HTTP/2 looks like to who joins in the middle."""

from __future__ import annotations

import pytest

from agent.protocol.http2_frames import looks_like_frames
from tests.protocol.http2_talk import Talk

TALK = Talk()
HEAD = TALK.request(77)


@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        HEAD + TALK.data(77, b"{}")[:10],
        TALK.data(5, b"x" * 16_000) + TALK.window(),
        b"the end of a frame" + TALK.data(5, b"abc") + TALK.data(7, b"abc"),
        TALK.settings() + TALK.window(),
        TALK.window(3),
    ],
    ids=["a head", "head and data", "data", "in a frame", "a server's first", "a window"],
)
def test_frames_look_like_frames(data: bytes) -> None:
    """Two in a row, or one from end to end."""
    assert looks_like_frames(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 5000,
        bytes(range(256)) * 40,
        b"\x81\x7e\x01\x00" + b'{"type":"x"}' * 20,
        b'data: {"choices":[]}\n\n' * 50,
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x4a\0\0\0\x0a8.0.35\0" + bytes(60),
        b"\0\0\0\x1d\0\x12\0\0\0\0\0\1\0\rconsumer-test\0\0",
        TALK.data(1, b"x" * 3000)[:2000],
        HEAD[:-1],
    ],
    ids=["nothing", "zeros", "all", "websocket", "events", "postgres", "mysql", "kafka", "a cut frame", "a cut head"],
)
def test_other_bytes_do_not(data: bytes) -> None:
    """Other protocols with lengths in front, zeros, text; and a single frame that is not all there proves nothing."""
    assert not looks_like_frames(data)
