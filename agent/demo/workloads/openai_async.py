"""OpenAI's Python SDK, asynchronous, all steps of a round at the same time: ``openai_async.py ROUNDS STEP...``"""

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI

ASK: Any = [{"role": "user", "content": "Sort this mail: invoice, complaint or praise?"}]


def tell(model: str, usage: Any) -> None:
    print(json.dumps({"model": model, "usage": None if usage is None else usage.model_dump()}), flush=True)


async def chat(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    tell(answer.model, answer.usage)


async def stream(client: AsyncOpenAI) -> None:
    usage, model = None, ""
    chunks = await client.chat.completions.create(
        model="gpt-4.1", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    async for chunk in chunks:
        usage, model = chunk.usage or usage, chunk.model
    tell(model, usage)


async def responses(client: AsyncOpenAI) -> None:
    answer = await client.responses.create(model="gpt-5-mini", input="Sort this mail.")
    tell(answer.model, answer.usage)


async def responses_stream(client: AsyncOpenAI) -> None:
    async for event in await client.responses.create(model="gpt-5-mini", input="Sort this mail.", stream=True):
        if event.type == "response.completed":
            tell(event.response.model, event.response.usage)


async def embeddings(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="text-embedding-3-small", input=["invoice"] * 8)
    tell(answer.model, answer.usage)


STEPS = {step.__name__: step for step in (chat, stream, responses, responses_stream, embeddings)}


async def main() -> None:
    async with AsyncOpenAI() as client:
        for _ in range(int(sys.argv[1])):
            await asyncio.gather(*(STEPS[name](client) for name in sys.argv[2:]))


asyncio.run(main())
