"""
Text Generation Inference's own API: ``POST /generate``, ``/generate_stream``, and ``/`` of Hugging Face's endpoints.

Reference: https://huggingface.co/docs/text-generation-inference/reference/api_reference
The whole answer's headers have the counts, whether or not ``details`` were asked for; a stream's last event has ``details`` only if so.
SGLang has the same path and answers with ``meta_info``, in a stream with every event, growing.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.openai_usage import part
from agent.dialects.reader import Reader, header_count
from agent.dialects.values import Json, count, get, mapping, word
from agent.model import RequestHead, ResponseHead

_ENDPOINTS = (".endpoints.huggingface.cloud", "api-inference.huggingface.co")


class TgiGenerate(Reader):
    api: ClassVar[str] = "tgi/generate"
    operation: ClassVar[str] = "text_completion"
    _shape: ClassVar[frozenset[str]] = frozenset({"generated_text", "meta_info", "error"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method != "POST":
            return False
        return request.path == "/generate" or (
            request.host.endswith(_ENDPOINTS) and (request.path == "/" or request.path.startswith("/models/"))
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        found = re.search(r"^/models/([^/]+/[^/]+)$", request.path)
        self.requested_model = found[1] if found else ""

    def _ask(self, asked: Json) -> None:
        """It serves one model, and no name is sent."""

    def response_head(self, head: ResponseHead) -> None:
        super().response_head(head)
        self._count(
            input_tokens=header_count(self.headers, "x-prompt-tokens"),
            output_tokens=header_count(self.headers, "x-generated-tokens"),
        )
        self.variant = word(head.headers.get("x-compute-type"))

    def _take(self, answer: Json) -> None:
        sglang = mapping(answer.get("meta_info"))
        if sglang:
            self._take_meta_info(sglang)
            return
        details = mapping(answer.get("details"))
        self.finish_reason = word(details.get("finish_reason")) or self.finish_reason
        made = count(details.get("generated_tokens"))
        if self.usage.output_tokens is None:
            self._count(output_tokens=made)
        if self.usage.input_tokens is None:
            prefill = details.get("prefill")
            taken = len(prefill) if isinstance(prefill, list) and prefill else None
            self._count(input_tokens=count(get(details, "input_length")) or taken)

    def _take_meta_info(self, told: Json) -> None:
        self.response_id = word(told.get("id")) or self.response_id
        reason = told.get("finish_reason")
        self.finish_reason = word(get(reason, "type")) or word(reason) or self.finish_reason
        self.final = bool(reason)
        taken = count(told.get("prompt_tokens"))
        self._count(
            input_tokens=taken,
            output_tokens=count(told.get("completion_tokens")),
            cache_read_input_tokens=part(count(told.get("cached_tokens")), taken, "cached_exceeds_input", self.remarks),
        )


class TgiStream(TgiGenerate):
    api: ClassVar[str] = "tgi/generate_stream"
    _shape: ClassVar[frozenset[str]] = frozenset({"token", "generated_text", "error"})
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"details":\s*\{|"error"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path == "/generate_stream"
