"""What the server hands to the providers' modules, and what they give back."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.demo.books import Served, Tokens

KEY_PREFIX = "sk-demo-"

TEXT = (
    "the pod asked and the model answered with a short note about parcels that left the harbour before noon while "
    "every invoice waited for a name – Zürich, Kraków, 東京 – and nobody counted the tokens 🙂 until today"
)
WORDS = TEXT.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    host: str
    path: str
    query: str
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def client(self) -> str:
        headers = self.headers
        key = headers.get("x-api-key") or headers.get("x-goog-api-key") or headers.get("authorization", "")
        return key.removeprefix("Bearer ").removeprefix(KEY_PREFIX) or "unknown"

    @property
    def is_retry(self) -> bool:
        return self.headers.get("x-stainless-retry-count", "0") != "0"

    def json(self) -> dict[str, Any]:
        document = json.loads(self.body or b"{}")
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes]
    """The body: one piece, or as many as are to be sent one by one."""
    served: Served

    @property
    def is_stream(self) -> bool:
        return len(self.pieces) > 1


@dataclass(frozen=True, slots=True)
class Draw:
    """The amounts and words of one answer, the same for the same caller and ordinal."""

    dice: random.Random

    @staticmethod
    def of(client: str, ordinal: int) -> Draw:
        return Draw(random.Random(f"{client}/{ordinal}"))  # noqa: S311 - repeatable, not secret

    def between(self, low: int, high: int) -> int:
        return self.dice.randint(low, high)

    def identity(self, prefix: str, length: int = 24) -> str:
        return prefix + "".join(self.dice.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=length))

    def words(self, count: int) -> list[str]:
        return [self.dice.choice(WORDS) + " " for _ in range(count)]

    def tokens(self, *, reasoning: bool, cache_write: bool = False) -> Tokens:
        """Two thirds of the answers read from a cache; amounts of a thousand tokens as in chats with some context."""
        cached = self.between(0, 2)
        written = self.between(0, 3) if cache_write else 0
        return Tokens(
            input=self.between(12, 2_500),
            cache_read=128 * self.between(1, 40) if cached else 0,
            cache_write=self.between(1024, 4096) if written & 1 else 0,
            cache_write_1h=self.between(1024, 2048) if written & 2 else 0,
            output=self.between(5, 60),
            reasoning=64 * self.between(1, 12) if reasoning else 0,
        )


def dump(document: object) -> bytes:
    """As the providers write JSON: no spaces, UTF-8 unescaped."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def event(document: object, name: str = "", end: str = "\n") -> bytes:
    """One server-sent event."""
    head = f"event: {name}{end}" if name else ""
    return head.encode() + b"data: " + dump(document) + (end * 2).encode()
