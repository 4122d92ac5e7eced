"""OpenAI's Python SDK, synchronous: ``openai_sync.py ROUNDS STEP...``"""

import json
import os
import sys
from typing import Any

from openai import APIError, OpenAI

client = OpenAI()
ASK: Any = [{"role": "user", "content": "Where is parcel 4711? Answer in one sentence. – Größe: 東京"}]
TOOL: Any = {"type": "function", "function": {"name": "track_parcel", "parameters": {"type": "object"}}}


def tell(model: str, usage: Any) -> None:
    print(json.dumps({"model": model, "usage": None if usage is None else usage.model_dump()}), flush=True)


def chat(model: str = "gpt-4o-mini") -> None:
    answer = client.chat.completions.create(model=model, messages=ASK)
    tell(answer.model, answer.usage)


def unlisted_model() -> None:
    """A model that is on no price list."""
    chat("house-model-9000")


def tools() -> None:
    answer = client.chat.completions.create(model="gpt-4.1", messages=ASK, tools=[TOOL])
    tell(answer.model, answer.usage)


def stream() -> None:
    usage, model = None, ""
    chunks = client.chat.completions.create(
        model="gpt-4.1", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    for chunk in chunks:
        usage, model = chunk.usage or usage, chunk.model
    tell(model, usage)


def silent_stream() -> None:
    """Without ``include_usage`` the provider tells nobody what the stream used."""
    model = ""
    for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True):
        model = chunk.model
    tell(model, None)


def responses() -> None:
    answer = client.responses.create(model="gpt-5-mini", input="Where is parcel 4711?")
    tell(answer.model, answer.usage)


def responses_stream() -> None:
    for event in client.responses.create(model="gpt-5-mini", input="Where is parcel 4711?", stream=True):
        if event.type == "response.completed":
            tell(event.response.model, event.response.usage)


def embeddings() -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=["parcel", "harbour", "invoice"])
    tell(answer.model, answer.usage)


def routed() -> None:
    """OpenRouter speaks OpenAI's format and states the cost."""
    router = OpenAI(base_url="https://openrouter.ai/api/v1", api_key=os.environ["OPENAI_API_KEY"])
    answer = router.chat.completions.create(model="mistralai/mistral-small", messages=ASK)
    tell(answer.model, answer.usage)
    for chunk in router.chat.completions.create(model="mistralai/mistral-small", messages=ASK, stream=True):
        if chunk.usage:
            tell(chunk.model, chunk.usage)


def failing() -> None:
    """No retries: the application sees the error."""
    try:
        answer = client.with_options(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=ASK)
        tell(answer.model, answer.usage)
    except APIError:
        pass


STEPS = {
    step.__name__: step
    for step in (chat, unlisted_model, tools, stream, silent_stream, responses, responses_stream, embeddings, routed)
} | {"failing": failing}

for _ in range(int(sys.argv[1])):
    for name in sys.argv[2:]:
        STEPS[name]()
