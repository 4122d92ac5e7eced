"""The ways in which recorded exchanges are put on the wire: nothing of it may change what comes out."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

import brotli
import zstandard

from agent.replay_exchange import Framing


def random_sizes(seed: int) -> Callable[[int], list[int]]:
    """Sizes of parts that add up, tiny ones and large ones; the same ones at each run."""
    chance = random.Random(seed)

    def sizes(total: int) -> list[int]:
        parts = []
        while total > 0:
            parts.append(min(total, chance.choice((1, 3, 17, 120, 1000, 9000))))
            total -= parts[-1]
        return parts

    return sizes


def _gzip(body: bytes) -> tuple[str, bytes]:
    return "gzip", gzip.compress(body, 1)


def _br(body: bytes) -> tuple[str, bytes]:
    return "br", brotli.compress(body, quality=1)


def _zstd(body: bytes) -> tuple[str, bytes]:
    return "zstd", zstandard.compress(body, 1)


CODINGS: dict[str, Callable[[bytes], tuple[str, bytes]] | None] = {
    "as recorded": None,
    "gzip": _gzip,
    "br": _br,
    "zstd": _zstd,
}

MATRIX: dict[tuple[str, str], Framing] = {
    (coding, how): Framing(
        coding=apply,
        http2="HTTP/2" in how,
        chunk_sizes=random_sizes(2) if "chunked" in how or "odd frames" in how else None,
        cuts=random_sizes(3) if "random reads" in how else None,
    )
    for coding, apply in CODINGS.items()
    for how in (
        "plain",
        "random reads",
        "chunked",
        "chunked, random reads",
        "HTTP/2",
        "HTTP/2, random reads",
        "HTTP/2, odd frames",
    )
}
