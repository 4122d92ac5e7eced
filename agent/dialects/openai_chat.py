"""
OpenAI chat completions: ``POST …/chat/completions``, and everyone who speaks it.

Reference: https://platform.openai.com/docs/api-reference/chat
A stream states usage in its last chunk and only when asked (``stream_options.include_usage``); others state it unasked, in
``x_groq`` (Groq), or in every chunk, growing (Perplexity, vLLM).  The last one counts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar
from urllib.parse import unquote

from agent.dialects.openai_usage import UsageReading, read_usage
from agent.dialects.values import Json, error_word, get, items, last_object, mapping, parse, usd, word
from agent.model import Evidence, Reading, RequestHead, ResponseHead, StreamItem

_PATH = re.compile(r"/chat/completions$")
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
# A model may ask for many tools; thousands of names in one answer are an attack on our memory.
MAX_TOOL_CALLS = 256


class OpenAiChat:
    api: ClassVar[str] = "openai/chat"
    arrays_are_streams: ClassVar[bool] = False
    operation: ClassVar[str] = "chat"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method != "POST":
            return False
        # Writer's path has another API behind it elsewhere (Cohere).
        return _PATH.search(request.path) is not None or (
            request.path == "/v1/chat" and request.host == "api.writer.com"
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        deployment = _DEPLOYMENT.search(request.path)
        self._deployment = unquote(deployment[1]) if deployment else ""
        self._provider = provider
        self._requested_model = ""
        self._requested_tier = ""
        self._status = 0
        self._header_cost = ""
        self._served_model = self._response_id = self._finish_reason = self._tier = self._error = ""
        self._usage: Json = {}
        self._usage_final = False
        self._answered = False
        """Something that a model made was seen."""
        self._tools: dict[tuple[int, int, str], str] = {}

    def request_body(self, body: bytes, complete: bool) -> None:
        request = parse(body) if complete else None
        if isinstance(request, dict):
            self._requested_model = word(request.get("model"))
            self._requested_tier = word(request.get("service_tier"))
        elif not complete:
            self._requested_model = model_in_part(body)

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._header_cost = head.headers.get("x-litellm-response-cost") or head.headers.get(
            "pydantic-ai-gateway-price-estimate", ""
        )

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, dict):
            self._take(answer)
            self._usage_final = bool(self._usage)
        elif isinstance(answer, list) and answer:
            self._error = error_word(get(answer[0], "error"))  # Gemini's compatible route
        elif not complete:
            self._answered = True
            self._usage = last_object(body, b"usage")
            self._usage_final = False

    def item(self, item: StreamItem) -> None:
        data = item.data
        # Most deltas carry nothing that we want.  What is escaped inside a string can't look like these.
        if (
            self._response_id
            and not item.name
            and (b'"usage"' not in data or b'"usage":null' in data)
            and (b'"finish_reason"' not in data or b'"finish_reason":null' in data)
            and b'"name"' not in data
            and b'"error"' not in data
            and b'"x_groq"' not in data
        ):
            return
        chunk = parse(data)
        if isinstance(chunk, dict):
            if item.name == "error" and "error" not in chunk:
                self._error = error_word(chunk) or "error"
            self._take(chunk)

    def _take(self, answer: Json) -> None:
        """One whole answer or one chunk of a stream."""
        self._response_id = word(answer.get("id")) or self._response_id
        self._served_model = word(answer.get("model")) or self._served_model
        self._tier = word(answer.get("service_tier")) or self._tier
        if answer.get("error"):
            self._error = error_word(answer["error"])
        finished = False
        choices = items(answer.get("choices"))
        for position, choice in enumerate(choices):
            self._answered = True
            reason = word(get(choice, "finish_reason"))
            if reason:
                finished = True
                if position == 0 and not self._finish_reason:
                    self._finish_reason = reason
            message = get(choice, "message") or get(choice, "delta")
            index = get(choice, "index")
            self._take_tools(index if isinstance(index, int) else position, mapping(message))
        usage = answer.get("usage") or get(answer, "x_groq", "usage")
        if isinstance(usage, dict) and usage:
            self._usage = usage
            # Last: without choices (OpenAI), or together with the end of an answer.
            self._usage_final = not choices or finished or "x_groq" in answer

    def _take_tools(self, choice: int, message: Json) -> None:
        for position, call in enumerate(items(message.get("tool_calls"))):
            name = word(get(call, "function", "name")) or word(get(call, "custom", "name"))
            if not name or len(self._tools) >= MAX_TOOL_CALLS:
                continue
            index = get(call, "index")
            index = index if isinstance(index, int) else position
            # Servers exist that number every call 0 and tell them apart by id, and others that repeat the name.
            self._tools.setdefault((choice, index, word(get(call, "id"))), name)
        name = word(get(message, "function_call", "name"))
        if name:
            self._tools.setdefault((choice, 0, ""), name)

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        model = self._served_model or self._requested_model
        read = read_usage(self._usage, provider=self._provider, model=model)
        return Reading(
            operation=self.operation,
            requested_model=self._requested_model or self._deployment,
            served_model=self._served_model,
            response_id=self._response_id,
            streaming=streaming,
            usage=read.usage,
            evidence=self._evidence(read, complete),
            finish_reason=self._finish_reason,
            tool_calls=tuple(name for _, name in sorted(self._tools.items(), key=lambda entry: entry[0][:2])),
            service_tier=self._tier or self._requested_tier,
            reported_cost_usd=read.reported_cost_usd if read.reported_cost_usd is not None else usd(self._header_cost),
            error=self._error,
            remarks=read.remarks,
        )

    def _evidence(self, read: UsageReading, complete: bool) -> Evidence:
        if read.stated:
            return Evidence.REPORTED if self._usage_final or complete else Evidence.PARTIAL
        return evidence_without_usage(self._status, served=self._answered or not self._error)


class OpenAiCompletions(OpenAiChat):
    """
    The legacy ``POST …/completions``.

    Reference: https://platform.openai.com/docs/api-reference/completions
    """

    api: ClassVar[str] = "openai/completions"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/completions")


class OpenAiEmbeddings(OpenAiChat):
    """
    ``POST …/embeddings``: input only.

    Reference: https://platform.openai.com/docs/api-reference/embeddings
    """

    api: ClassVar[str] = "openai/embeddings"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/embeddings")

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        reading = super().reading(complete=complete, streaming=streaming)
        # Some state `completion_tokens: 0`: nothing was made, so nothing is stated about it.
        return replace(reading, usage=replace(reading.usage, output_tokens=reading.usage.output_tokens or None))


def evidence_without_usage(status: int, *, served: bool) -> Evidence:
    """What is known of a call that states no usage."""
    if status == 0 or 200 <= status < 300:
        if not served:
            return Evidence.NOT_APPLICABLE
        return Evidence.ABSENT
    return Evidence.NOT_APPLICABLE


_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,256})"')


def model_in_part(body: bytes) -> str:
    """The model of a request of which only a part was seen.  In a string the quotes would be escaped, so the key is a real one."""
    found = _MODEL.search(body)
    return found[1].decode("utf-8", "replace") if found else ""
