"""
Bedrock's agents: ``POST /agents/{id}/agentAliases/{alias}/sessions/{session}/text``; flows and inline agents alike.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_InvokeAgent.html
An agent asks its model several times.  Each ``trace`` event of a step states that step's usage, and they are added up; without
``enableTrace`` nothing is stated.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.bedrock_usage import converse_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, mapping, word
from agent.model import RequestHead

_PATH = re.compile(r"/agents/([^/]+)/(?:agentAliases/[^/]+/)?sessions/[^/]+(?:/text)?$")
_STEPS = ("preProcessingTrace", "orchestrationTrace", "postProcessingTrace", "routingClassifierTrace")


class BedrockAgent(Reader):
    api: ClassVar[str] = "bedrock/invoke-agent"
    operation: ClassVar[str] = "invoke_agent"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:modelInvocationOutput|foundationModel)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and "bedrock" in request.host and _PATH.search(request.path) is not None

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("foundationModel"))

    def _take(self, answer: Json) -> None:
        trace = mapping(answer.get("trace"))
        trace = mapping(trace.get("trace")) or trace
        for step in _STEPS:
            found = mapping(trace.get(step))
            self.requested_model = self.requested_model or word(get(found, "modelInvocationInput", "foundationModel"))
            usage = mapping(get(found, "modelInvocationOutput", "metadata", "usage"))
            if count(usage.get("inputTokens")) is None and count(usage.get("outputTokens")) is None:
                continue
            one = converse_usage(usage, self.remarks)
            self._count(
                input_tokens=(self.usage.input_tokens or 0) + (one.input_tokens or 0),
                output_tokens=(self.usage.output_tokens or 0) + (one.output_tokens or 0),
            )

    def _take_item(self, name: str, answer: Json) -> None:
        # The payload of a `trace` event is the trace part itself.
        self._take(answer if "trace" in answer else {"trace": answer})
