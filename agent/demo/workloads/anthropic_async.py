"""Anthropic's Python SDK, asynchronous, all steps of a round at the same time: ``anthropic_async.py ROUNDS STEP...``"""

import asyncio
import json
import sys
from typing import Any

from anthropic import AsyncAnthropic

ASK: Any = [{"role": "user", "content": "Is this mail urgent? Answer yes or no."}]


def tell(message: Any) -> None:
    print(json.dumps({"model": message.model, "usage": message.usage.model_dump()}), flush=True)


async def messages(client: AsyncAnthropic) -> None:
    tell(await client.messages.create(model="claude-haiku-4-5", max_tokens=500, messages=ASK))


async def stream(client: AsyncAnthropic) -> None:
    async with client.messages.stream(model="claude-sonnet-4-6", max_tokens=500, messages=ASK) as events:
        async for _ in events.text_stream:
            pass
        tell(await events.get_final_message())


STEPS = {step.__name__: step for step in (messages, stream)}


async def main() -> None:
    async with AsyncAnthropic() as client:
        for _ in range(int(sys.argv[1])):
            await asyncio.gather(*(STEPS[name](client) for name in sys.argv[2:]))


asyncio.run(main())
