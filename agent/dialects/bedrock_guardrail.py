"""
Bedrock's guardrails by themselves: ``POST /guardrail/{id}/version/{v}/apply``.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
No tokens: each policy bills its own units.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.bedrock_usage import add_units, extra_units
from agent.dialects.reader import Reader
from agent.dialects.values import Json, word
from agent.model import Evidence, RequestHead

_PATH = re.compile(r"/guardrail/([^/]+)/version/[^/]+/apply$")


class BedrockGuardrail(Reader):
    api: ClassVar[str] = "bedrock/apply-guardrail"
    operation: ClassVar[str] = "guardrail"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _PATH.search(request.path) is not None

    def _take(self, answer: Json) -> None:
        units: dict[str, int] = {}
        add_units(answer.get("usage"), units)
        self.extra = extra_units(units)
        self.finish_reason = word(answer.get("action"))

    def _evidence(self, whole_stream: bool) -> Evidence:
        return Evidence.REPORTED if self.extra else super()._evidence(whole_stream)
