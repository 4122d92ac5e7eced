"""The contract of ../README.md with the SDKs: ``client.py HOW``, one of the functions below."""

import os
import sys
from collections.abc import Callable
from typing import Any

MODEL = "gpt-4o-mini"
CONTENT = "hello"
MESSAGES: Any = [{"role": "user", "content": CONTENT}]

Call = Callable[[int], None]


def with_genai() -> Call:
    from google import genai

    client = genai.Client()

    def call(number: int) -> None:
        asked: Any = {"model": "gemini-2.5-flash", "contents": CONTENT}
        if number % 2:
            assert list(client.models.generate_content_stream(**asked))[-1].usage_metadata
        else:
            assert client.models.generate_content(**asked).usage_metadata

    return call


def with_genai_async() -> Call:
    import asyncio

    from google import genai

    client = genai.Client()
    loop = asyncio.new_event_loop()

    async def one(number: int) -> None:
        asked: Any = {"model": "gemini-2.5-flash", "contents": CONTENT}
        if number % 2:
            answer = await client.aio.models.generate_content_stream(**asked)
            assert [chunk async for chunk in answer][-1].usage_metadata
        else:
            assert (await client.aio.models.generate_content(**asked)).usage_metadata

    return lambda number: loop.run_until_complete(one(number))


def with_langchain() -> Call:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, stream_usage=True)

    def call(number: int) -> None:
        if number % 2:
            assert any(chunk.usage_metadata for chunk in model.stream(CONTENT))
        else:
            assert model.invoke(CONTENT).usage_metadata

    return call


def with_litellm() -> Call:
    # Else it asks for its list of prices on the network first.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    def call(number: int) -> None:
        options: Any = {"stream": True, "stream_options": {"include_usage": True}} if number % 2 else {}
        answer: Any = litellm.completion(model=f"openai/{MODEL}", messages=MESSAGES, **options)
        assert list(answer) if number % 2 else answer.usage

    return call


def main() -> None:
    call = globals()[f"with_{sys.argv[1].replace('-', '_')}"]()
    print("ready", flush=True)
    for number in range(int(sys.stdin.readline())):
        call(number)
    print("done", flush=True)
    sys.stdin.read()
    # Some leave threads behind that wait for nothing of ours.
    os._exit(0)


if __name__ == "__main__":
    main()
