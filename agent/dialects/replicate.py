"""
Replicate: ``POST …/predictions``, polled with ``GET /v1/predictions/{id}``, and the stream of a prediction's output.

Reference: https://replicate.com/docs/reference/http
Billed by the second on its processor: ``metrics.predict_time`` of a prediction that has ended.  Language models also count tokens.  The
stream has text alone.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, mapping, seconds, word
from agent.model import RequestHead, StreamItem

_CREATE = re.compile(r"/v1/(?:models/([^/]+/[^/]+)/|deployments/[^/]+/[^/]+/)?predictions$")
_POLL = re.compile(r"/v1/predictions/[A-Za-z0-9]+$")
_STREAM = re.compile(r"/v1/streams/[^/]+$")
_ENDED = frozenset({"succeeded", "failed", "canceled", "aborted"})


def _is_replicate(request: RequestHead) -> bool:
    """The paths could be anybody's."""
    return request.host.endswith((".replicate.com", ".replicate.net"))


class ReplicatePredictions(Reader):
    api: ClassVar[str] = "replicate/predictions"
    operation: ClassVar[str] = "generate_content"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        pattern = {"POST": _CREATE, "GET": _POLL}.get(request.method)
        return pattern is not None and pattern.search(request.path) is not None and _is_replicate(request)

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        found = _CREATE.search(request.path)
        self.requested_model = found[1] or "" if found else ""
        if request.method == "GET":
            self.remarks.append("polled")

    def _error_in(self, answer: Json) -> None:
        """A prediction that failed says why in prose, and its time is paid all the same."""
        if answer.get("error") or self.status >= 400:
            self.error = "error"

    def _take(self, answer: Json) -> None:
        status = word(answer.get("status"))
        self.response_id = word(answer.get("id"))
        self.served_model = word(answer.get("model"))
        self.finish_reason = status
        self.pending = status not in _ENDED
        metrics = mapping(answer.get("metrics"))
        # `total_time` counts the wait too, and is not what is billed.
        self._count(
            compute_seconds=seconds(metrics.get("predict_time")),
            input_tokens=count(get(metrics, "input_token_count")),
            output_tokens=count(get(metrics, "output_token_count")),
        )
        pictures = count(metrics.get("image_count"))
        self._count(images=pictures)


class ReplicateStream(Reader):
    api: ClassVar[str] = "replicate/stream"
    operation: ClassVar[str] = "generate_content"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "GET" and _STREAM.search(request.path) is not None and _is_replicate(request)

    def item(self, item: StreamItem) -> None:
        if item.name == "error":
            self.error = "error"
        elif item.name == "done":
            self.finish_reason = "done"
