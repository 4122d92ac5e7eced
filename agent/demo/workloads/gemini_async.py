"""Google's Gen AI Python SDK, asynchronous, all steps of a round at the same time: ``gemini_async.py ROUNDS STEP...``"""

import asyncio
import json
import sys
from typing import Any

from google import genai

client = genai.Client()


def tell(answer: Any) -> None:
    usage = answer.usage_metadata.model_dump(mode="json", exclude_none=True)
    print(json.dumps({"model": answer.model_version, "usage": usage}), flush=True)


async def generate() -> None:
    tell(await client.aio.models.generate_content(model="gemini-2.5-flash", contents="Demand for umbrellas?"))


async def stream() -> None:
    last = None
    chunks = await client.aio.models.generate_content_stream(model="gemini-2.5-pro", contents="Demand next week?")
    async for chunk in chunks:
        last = chunk
    tell(last)


STEPS = {step.__name__: step for step in (generate, stream)}


async def main() -> None:
    for _ in range(int(sys.argv[1])):
        await asyncio.gather(*(STEPS[name]() for name in sys.argv[2:]))
    await client.aio.aclose()


asyncio.run(main())
