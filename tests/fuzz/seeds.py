"""Inputs to begin with, for the fuzzer and for the tests of its targets."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from agent.dialects import SESSION_DIALECTS
from agent.model import Direction
from agent.replay_exchange import Framing, exchange_bytes, request_bytes, response_bytes
from agent.replay_session import session_bytes
from tests.dialects.test_golden import answer_of, exchange
from tests.dialects.test_golden_sessions import session


def seeds(goldens: Iterable[Mapping[str, dict[str, object]]]) -> Iterator[bytes]:
    """Inputs to begin with, from golden exchanges and sessions: mutations of valid traffic go deeper than noise."""
    for golden in goldens:
        if "messages" in golden:
            yield from _session_seeds(session(dict(golden)))
            continue
        recorded: dict[str, Any] = exchange(dict(golden))
        sent = request_bytes(recorded["request"], Framing())
        received = response_bytes(recorded["response"], Framing())
        for data in (answer_of(golden["response"]), sent, received, sent + b"\xff" + received):
            yield b"\x3f\x00" + data[:4000]
            yield b"\x05\x03" + data[:4000]
        for _, data in exchange_bytes(recorded, Framing(http2=True, chunk_sizes=lambda size: [99] * (size // 99 + 1))):
            # For ``http2``, which begins with a byte of its own, and for ``connection``.
            yield b"\x02\x3f\x00" + data[:4000]
            yield b"\x3f\x00" + data[:4000]


def _session_seeds(recorded: dict[str, Any]) -> Iterator[bytes]:
    for extensions in ("", "permessage-deflate"):
        said = list(session_bytes(recorded, extensions, urlsplit(recorded["url"]).path))
        yield b"\x3f\x00" + b"\xff".join(data for _, data in said)[:4000]
        kind = b"\x01" if extensions else b"\x00"
        for direction in Direction:
            # Behind the heads.
            yield kind + b"\x3f\x00" + b"".join(data for side, data in said[2:] if side is direction)[:4000]
    lines = [
        (b">" if message["direction"] == "sent" else b"") + base64.b64decode(message["data_b64"])
        for message in recorded["messages"]
    ]
    for kind in range(len(SESSION_DIALECTS)):
        yield bytes((kind,)) + b"\n".join(lines)[:4000]
