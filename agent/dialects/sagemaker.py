"""
SageMaker's endpoints: ``POST /endpoints/{name}/invocations`` and ``…/invocations-response-stream``.

Reference: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
The endpoint is billed by the hour it runs, whatever it answers.  What is inside is the container's own: usage in OpenAI's or Text Generation
Inference's words where it states any.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.openai_usage import read_usage
from agent.dialects.paths import method_in_path, name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, mapping, parse, word
from agent.model import RequestHead, StreamItem

_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|invocations-response-stream)$")


class SageMakerInvocations(Reader):
    api: ClassVar[str] = "sagemaker/invocations"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "invocations"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_PATH, request)

    def _take(self, answer: Json) -> None:
        read = read_usage(mapping(answer.get("usage")))
        if read.stated:
            self.usage = read.usage
        self.served_model = word(answer.get("model")) or self.served_model
        self._count(output_tokens=count(get(answer, "details", "generated_tokens")))


class SageMakerStream(SageMakerInvocations):
    """The parts of the stream are bytes: events or JSON lines of the container, cut anywhere."""

    api: ClassVar[str] = "sagemaker/invocations-response-stream"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "invocations-response-stream"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._line = bytearray()
        """The line under way.  Grows in place: a long line in many small parts must not be copied for each of them."""

    def item(self, item: StreamItem) -> None:
        if item.name != "PayloadPart":
            super().item(item)
            return
        *lines, rest = item.data.split(b"\n")
        for line in lines:
            self._keep(line)
            self._end_line()
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        """A line without end is not kept for ever."""
        self._line += part
        if len(self._line) > _MAX_LINE_BYTES:
            self._line.clear()

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if b'"usage"' in line or b'"details"' in line:
            answer = parse(line.removeprefix(b"data:").strip())
            if isinstance(answer, dict):
                self._take(answer)

    def _end(self, *, complete: bool) -> None:
        self._end_line()


_MAX_LINE_BYTES = 256 * 1024
