"""
The tokenizer of the optional extra: ``pip install podtab[tokenizer]``.

toktok-rs has the vocabularies compiled in, so it needs no network and no files.  It is loaded when something is first counted: a vocabulary
takes 60 MB, and a node whose calls all state their usage never pays for it.  Without the extra, characters are counted by class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from agent.estimation.counting import ByCharacters, Counted, Tokenizer, capped

# A hundred times what a usual prompt takes; what is left of a text then is taken in proportion.
_MAX_SECONDS = 0.05
# Counted at once: some tenths of a millisecond.
_PIECE_CHARS = 64 * 1024

BatchCount = Callable[[Sequence[str], str, int], list[int]]


def _unheard(_: str) -> None:
    """Nobody wants to know."""


def chosen(word: str = "auto", failed: Callable[[str], None] = _unheard) -> Tokenizer | None:
    """``auto``: exact where the extra is installed; ``characters``; ``none``.  ``failed`` is told the name of the error that ends exactness."""
    if word == "none":
        return None
    return Exact(failed=failed) if word == "auto" and find_spec("toktok") is not None else ByCharacters()


class Exact:
    """OpenAI's own encodings."""

    def __init__(
        self,
        batch_count: BatchCount | None = None,
        clock: Callable[[], float] = time.monotonic,
        failed: Callable[[str], None] = _unheard,
    ) -> None:
        self._batch_count = batch_count
        self._clock = clock
        self._failed = failed
        self._otherwise = ByCharacters()
        self._loaded: set[str] = set()
        self._broken = False

    def count(self, texts: Sequence[str], encoding: str) -> Counted:
        if self._broken:
            return self._otherwise.count(texts, encoding)
        kept, share = capped(texts)
        try:
            return Counted(round(self._count(kept, encoding) / share), encoding)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            # Native code of others, fed with what pods send: a panic of it is no reason for the agent to stop.
            self._broken = True
            self._failed(type(error).__name__)
            return self._otherwise.count(texts, encoding)

    def _count(self, texts: list[str], encoding: str) -> float:
        if self._batch_count is None:
            from toktok import batch_count

            self._batch_count = batch_count
        if encoding not in self._loaded:
            # A quarter of a second, once: loading a vocabulary is not counting, and has a time of its own.
            self._batch_count([""], encoding, 1)
            self._loaded.add(encoding)
        pieces = [text[at : at + _PIECE_CHARS] for text in texts for at in range(0, len(text), _PIECE_CHARS)]
        whole = sum(len(piece) for piece in pieces)
        started, seen, tokens = self._clock(), 0, 0
        batch: list[str] = []
        waiting = 0
        for number, piece in enumerate(pieces, 1):
            # Half a surrogate pair is no text to the tokenizer.
            batch.append(piece.encode("utf-8", "replace").decode())
            waiting += len(piece)
            if waiting < _PIECE_CHARS and number < len(pieces):
                continue
            tokens += sum(self._batch_count(batch, encoding, 1))
            seen, waiting, batch = seen + waiting, 0, []
            if seen < whole and self._clock() - started > _MAX_SECONDS:
                return tokens * whole / seen
        return tokens
