"""
Batches of Gemini: ``POST …:batchGenerateContent``, polled with ``GET …/batches/{id}``.

Reference: https://ai.google.dev/api/batch-api
A finished batch has every answer twice (``metadata.output`` and ``response``): only ``response`` is read.  It repeats them at every look.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.batch_sum import BatchSum
from agent.dialects.gemini_generate import generate_usage
from agent.dialects.paths import name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, items, mapping, word
from agent.model import RequestHead

_CREATE = re.compile(r"/models/([^/:%]+)(?::|%3A)batchGenerateContent$")
_POLL = re.compile(r"/v1(?:beta)?/batches/[A-Za-z0-9_-]+$")


class GeminiBatches(Reader):
    api: ClassVar[str] = "gemini/batches"
    operation: ClassVar[str] = "batch"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method == "GET":
            return request.host.endswith("googleapis.com") and _POLL.search(request.path) is not None
        return request.method == "POST" and _CREATE.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_CREATE, request)
        self.tier = "batch"
        self.pending = True
        if request.method == "GET":
            self.remarks.append("polled")

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("name"))
        self.finish_reason = word(get(answer, "metadata", "state"))
        found = BatchSum()
        for entry in items(get(answer, "response", "inlinedResponses", "inlinedResponses")):
            one = mapping(get(entry, "response"))
            usage = mapping(one.get("usageMetadata"))
            if usage:
                found.add(word(one.get("modelVersion")), generate_usage(usage, self.remarks))
        if found.answers:
            self.usage, self.served_model, self.extra = found.usage, found.model, found.others
