"""
Batches of OpenAI: ``POST …/batches``, polled with ``GET …/batches/{id}``; their results, ``GET …/files/{id}/content``.

Reference: https://platform.openai.com/docs/api-reference/batch
A finished batch states its usage (since September 2025), and its result file states that of each answer once more; both can be fetched any
number of times.  So both carry the file's id, and whichever comes second is not counted.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.batch_sum import BatchSum
from agent.dialects.openai_usage import read_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, mapping, word
from agent.model import RequestHead

_CREATE = re.compile(r"/batches(?:/[^/]+/cancel)?$")
_POLL = re.compile(r"/batches/batch_[A-Za-z0-9_-]+$")
_CONTENT = re.compile(r"/files/([A-Za-z0-9_-]+)/content$")
_ENDED = frozenset({"completed", "expired", "cancelled", "failed"})


class OpenAiBatches(Reader):
    api: ClassVar[str] = "openai/batches"
    operation: ClassVar[str] = "batch"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        pattern = {"POST": _CREATE, "GET": _POLL}.get(request.method)
        # Others have batches too; theirs are not under this version of the path, or not alike.
        return pattern is not None and "/messages/" not in request.path and pattern.search(request.path) is not None

    _shape: ClassVar[frozenset[str]] = frozenset({"request_counts", "error"})

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.tier = "batch"
        self.pending = True
        if request.method == "GET":
            self.remarks.append("polled")

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id"))
        self.served_model = word(answer.get("model"))
        self.finish_reason = word(answer.get("status"))
        if self.finish_reason not in _ENDED:
            return
        read = read_usage(mapping(answer.get("usage")))
        if read.stated:
            self.usage = read.usage
            self.object_ids = tuple(filter(None, (word(answer.get("output_file_id")),)))


class OpenAiBatchResults(Reader):
    api: ClassVar[str] = "openai/batch_results"
    operation: ClassVar[str] = "batch"
    lines_are_streams: ClassVar[bool] = True
    streams: ClassVar[bool | None] = False
    _shape: ClassVar[frozenset[str]] = frozenset({"custom_id"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "GET" and _CONTENT.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        found = _CONTENT.search(request.path)
        self._file = found[1] if found else ""
        self._sum = BatchSum()
        # A file may be anything else.
        self.pending = True

    def _error_in(self, answer: Json) -> None:
        """Of a line, not of the batch."""

    def _take(self, answer: Json) -> None:
        body = mapping(get(answer, "response", "body"))
        if "custom_id" not in answer or not body:
            return
        read = read_usage(mapping(body.get("usage")))
        if read.stated:
            self.response_id = self.response_id or word(body.get("id"))
            self._sum.add(word(body.get("model")), read.usage)

    def _end(self, *, complete: bool) -> None:
        if self._sum.answers:
            self.tier = "batch"
            self.remarks.append("polled")
            self.object_ids = (self._file,)
            self.usage, self.served_model, self.extra = self._sum.usage, self._sum.model, self._sum.others
            self.final = complete
