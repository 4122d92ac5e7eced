"""
One exchange as far as it was seen, for the case that its provider never says what it used.

Theory: what was asked is billed whole, what was answered up to where it stopped.
Practice: the vocabulary is OpenAI's, so other vendors' counts are scaled; reasoning that is not shown, and what was generated after a client
hung up, can't be counted, so output is a lower bound there.  What a provider stated is never replaced, but for the placeholder that opens
Anthropic's streams.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from agent.dialects.answers import model_in_part
from agent.estimation.answers import AnswerText, readable
from agent.estimation.counting import CHARACTERS, Tokenizer, encoding_of
from agent.estimation.prompts import prompt_of
from agent.model import Estimate, Evidence, Reading, StreamItem

# A request is held until its answer has said what it used; larger ones are counted at once, so that ten thousand streams hold some megabytes.
MAX_HELD_BYTES = 64 * 1024
_INPUT_ALONE = frozenset({"openai/embeddings", "gemini/batchEmbedContents", "gemini/embedContent", "ollama/embed"})
# No answer to a question for vectors is without this word.
_EMBEDS = b'"embedding'
# Words of the Responses API for answers that came to nothing.
_BROKEN_OFF = frozenset({"failed", "cancelled"})
# They open with the input's count, so it need not be counted, however the stream ends.
_OPEN_WITH_INPUT = frozenset({"anthropic/messages", "gemini/streamGenerateContent"})
# What is stated before the end is a placeholder, not a count.
_OPEN_WITH_PLACEHOLDER = frozenset({"anthropic/messages", "bedrock/invoke-stream"})
# Asked for a stream, in a request that is too large to be parsed twice.
_STREAMS = re.compile(rb'"stream"\s{0,4}:\s{0,4}true')
_HIDES_REASONING = re.compile(r"(?:^|[/.])(?:o[1-9](?:-|$)|gpt-[5-9]|grok-[3-9]|gemini-(?:2\.5|[3-9]))")
# Beside its name and arguments; several at once are wrapped once more.
_TOKENS_PER_TOOL_CALL, _TOKENS_PER_PARALLEL_TOOL_CALL = 7, 14

# Vendor → tokens of its own for one of o200k_base's, as recorded answers show.
_VENDORS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile("claude"), 1.18),
    (re.compile("gemini|gemma"), 1.06),
    (re.compile("mi[sx]tral|magistral|codestral|pixtral|voxtral"), 1.25),
    (re.compile("deepseek"), 1.04),
)
# Around any prompt, as recorded; and the instructions for tools, as Anthropic states them for Claude 3.5 and 4:
# https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview
_TOKENS_OF_CLAUDES_FRAME, _TOKENS_OF_CLAUDES_TOOLS = 9, 346
# Kind of count → the share within which nine in ten of the recorded calls are: `make corpus-cuts` measures it, a test holds it.
EXPECTED_ERROR: Mapping[str, float] = MappingProxyType(
    {
        # OpenAI's plain chats, texts and embeddings; such with tools, schemas or pictures; everybody else's.
        "input": 0.13,
        "input_shaped": 0.25,
        "input_vendor": 0.92,
        # OpenAI's text; its tool calls; everybody else's; and of models that think unseen, which is most of what they are billed for.
        "output": 0.13,
        "output_tools": 0.2,
        "output_vendor": 0.52,
        "output_hidden": 1.0,
    }
)
_ERROR_OF_CHARACTERS = 0.18
_OPENAI = re.compile(r"(?:^|[/:])(?:gpt-|chatgpt|o[1-9](?:-|$)|text-embedding|davinci|babbage|codex)")


def countable(api: str) -> bool:
    """Whether anything of this API's calls can be counted."""
    return readable(api) or api in _INPUT_ALONE


class Seen:
    """Fed by the pipeline as bytes come; asked once, at the end, and only if the provider did not say."""

    __slots__ = ("_answer", "_api", "_asked", "_counted", "_tokenizer", "_whole_request")

    def __init__(self, api: str, tokenizer: Tokenizer) -> None:
        self._api = api
        self._tokenizer = tokenizer
        self._answer = AnswerText(api) if readable(api) else None
        self._asked = b""
        self._whole_request = False
        self._counted: _Count | None = None
        """The input, where it was counted at once."""

    @property
    def held_bytes(self) -> int:
        return len(self._asked) + (self._answer.held_bytes if self._answer else 0)

    def request(self, body: bytes, complete: bool) -> None:
        self._whole_request = complete
        if len(body) <= MAX_HELD_BYTES:
            self._asked = body
        elif complete and self._api not in _OPEN_WITH_INPUT and _STREAMS.search(body):
            self._counted = self._count_input(body, model_in_part(body).lower())

    def item(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.item(data)

    def items(self, items: Iterable[StreamItem]) -> None:
        """What came of a stream together."""
        if self._answer is not None:
            item = self._answer.item
            for _name, data in items:
                item(data)

    def estimated(self, reading: Reading, *, complete: bool, document: bytes = b"") -> Reading:
        """``reading`` with what it lacks, as far as that can be counted.  ``complete``: the whole answer was seen."""
        if reading.evidence not in (Evidence.ABSENT, Evidence.PARTIAL):
            return reading
        if reading.error or reading.finish_reason in _BROKEN_OFF:
            # Whether an answer that broke off is billed, nobody says.
            return reading
        if document and self._answer is not None:
            self._answer.document(document)
        if complete and not self._answered(reading, document):
            return reading
        usage, model = reading.usage, (reading.served_model or reading.requested_model).lower()
        given = taken = None
        if usage.input_tokens is None:
            given = self._counted or self._count_input(self._asked, model)
        if usage.output_tokens is None or self._api in _OPEN_WITH_PLACEHOLDER:
            taken = self._count_output(reading, model)
        if given is None and taken is None:
            return reading
        if given is not None:
            usage = replace(usage, input_tokens=given.tokens)
        if taken is not None:
            usage = replace(usage, output_tokens=max(taken.tokens, usage.output_tokens or 0))
        both = usage.input_tokens is not None and (usage.output_tokens is not None or self._api in _INPUT_ALONE)
        estimate = Estimate(
            basis=(given or taken).basis,  # type: ignore[union-attr]  # one of them is there
            input_error=given.error if given else None,
            output_error=taken.error if taken else None,
            lower_bound=not (complete and self._whole_request and both) or _HIDES_REASONING.search(model) is not None,
        )
        remarks = [*reading.remarks]
        if estimate.lower_bound:
            remarks.append("estimate_is_lower_bound")
        if estimate.basis == CHARACTERS:
            remarks.append("counted_by_characters")
        return replace(
            reading, usage=usage, evidence=Evidence.ESTIMATED, estimate=estimate, remarks=tuple(dict.fromkeys(remarks))
        )

    def _answered(self, reading: Reading, document: bytes) -> bool:
        """Whether a whole answer is a model's at all, and not a gateway's page of apology with status 200."""
        if reading.response_id or reading.served_model or reading.finish_reason or reading.tool_calls:
            return True
        if self._api in _INPUT_ALONE:
            return _EMBEDS in document
        return self._answer is not None and self._answer.held_bytes > 0

    def _count_input(self, body: bytes, model: str) -> _Count | None:
        prompt = prompt_of(self._api, body) if body else None
        if prompt is None:
            return None
        counted = self._tokenizer.count(prompt.texts, encoding_of(model))
        tokens = counted.tokens + prompt.added_tokens
        if _OPENAI.search(model):
            return _Count.of(tokens, counted.basis, "input" if prompt.known else "input_shaped")
        tokens = round(tokens * _scale(model))
        if "claude" in model:
            tokens += _TOKENS_OF_CLAUDES_FRAME + (_TOKENS_OF_CLAUDES_TOOLS if prompt.tools else 0)
        return _Count.of(tokens, counted.basis, "input_vendor")

    def _count_output(self, reading: Reading, model: str) -> _Count | None:
        text, longer = self._answer.take() if self._answer is not None else ("", 1.0)
        if not text and not reading.tool_calls:
            return None
        counted = self._tokenizer.count([text, *reading.tool_calls], encoding_of(model))
        calls = len(reading.tool_calls)
        wrapping = _TOKENS_PER_PARALLEL_TOOL_CALL if calls > 1 else _TOKENS_PER_TOOL_CALL
        tokens = counted.tokens * longer + wrapping * calls
        ours = _OPENAI.search(model) is not None
        if _HIDES_REASONING.search(model):
            kind = "output_hidden"
        elif ours:
            kind = "output_tools" if calls else "output"
        else:
            kind = "output_vendor"
        return _Count.of(round(tokens if ours else tokens * _scale(model)), counted.basis, kind)


class _Count(NamedTuple):
    tokens: int
    basis: str
    error: float

    @classmethod
    def of(cls, tokens: int, basis: str, kind: str) -> _Count:
        error = EXPECTED_ERROR[kind] + (_ERROR_OF_CHARACTERS if basis == CHARACTERS else 0)
        return cls(tokens, basis, round(min(error, 1.0), 2))


def _scale(model: str) -> float:
    return next((scale for vendor, scale in _VENDORS if vendor.search(model)), 1.0)
