"""Anthropic's Python SDK, synchronous: ``anthropic_sync.py ROUNDS STEP...``"""

import json
import sys
from typing import Any

from anthropic import Anthropic

client = Anthropic()
ASK: Any = [{"role": "user", "content": "A customer writes: my parcel is late. Draft an answer."}]
TOOL: Any = {"name": "find_order", "description": "Finds an order", "input_schema": {"type": "object"}}


def tell(message: Any) -> None:
    print(json.dumps({"model": message.model, "usage": message.usage.model_dump()}), flush=True)


def messages(model: str = "claude-sonnet-4-6") -> None:
    tell(client.messages.create(model=model, max_tokens=500, messages=ASK))


def tools() -> None:
    tell(client.messages.create(model="claude-haiku-4-5", max_tokens=500, messages=ASK, tools=[TOOL]))


def stream() -> None:
    with client.messages.stream(model="claude-haiku-4-5", max_tokens=500, messages=ASK) as events:
        for _ in events.text_stream:
            pass
        tell(events.get_final_message())


STEPS = {step.__name__: step for step in (messages, tools, stream)}

for _ in range(int(sys.argv[1])):
    for name in sys.argv[2:]:
        STEPS[name]()
