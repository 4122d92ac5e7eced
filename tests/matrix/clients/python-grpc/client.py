"""
The contract of ../README.md in gRPC: ``client.py HOW``, one of the functions below.

grpcio is imported first: a process that has loaded the system's libssl as well would be found by that one, before this one is there.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import grpc

VERTEX = "us-central1-aiplatform.googleapis.com"
SERVICE = "/google.cloud.aiplatform.v1.PredictionService/"
MODEL = "projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-flash"
KEY = os.environ["OPENAI_API_KEY"]
SAID = [("authorization", f"Bearer {KEY}")]
# As generated code would write it: content: {role: "user", parts: {text: "hello"}}, model.
ASKED = b"\x12\x0f\x0a\x04user\x12\x07\x0a\x05hello\x2a" + bytes([len(MODEL)]) + MODEL.encode()

Call = Callable[[int], None]


def with_grpcio() -> Call:
    channel: Any = None

    def call(number: int) -> None:
        nonlocal channel
        channel = channel or grpc.secure_channel(f"{VERTEX}:443", grpc.ssl_channel_credentials())
        if number % 2:
            assert list(channel.unary_stream(SERVICE + "StreamGenerateContent")(ASKED, metadata=SAID))
        else:
            assert channel.unary_unary(SERVICE + "GenerateContent")(ASKED, metadata=SAID)

    return call


def with_grpcio_aio() -> Call:
    import asyncio

    loop = asyncio.new_event_loop()
    channel: Any = None

    async def one(number: int) -> None:
        nonlocal channel
        channel = channel or grpc.aio.secure_channel(f"{VERTEX}:443", grpc.ssl_channel_credentials())
        if number % 2:
            stream = channel.unary_stream(SERVICE + "StreamGenerateContent")(ASKED, metadata=SAID)
            assert [part async for part in stream]
        else:
            assert await channel.unary_unary(SERVICE + "GenerateContent")(ASKED, metadata=SAID)

    return lambda number: loop.run_until_complete(one(number))


def with_aiplatform() -> Call:
    from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
    from google.oauth2.credentials import Credentials

    client: Any = None
    asked = {"model": MODEL, "contents": [{"role": "user", "parts": [{"text": "hello"}]}]}

    def call(number: int) -> None:
        nonlocal client
        client = client or PredictionServiceClient(
            credentials=Credentials(KEY), client_options={"api_endpoint": VERTEX}, transport="grpc"
        )
        answer = list(client.stream_generate_content(asked))[-1] if number % 2 else client.generate_content(asked)
        used = answer.usage_metadata
        assert (
            used.total_token_count == used.prompt_token_count + used.candidates_token_count + used.thoughts_token_count
        )
        assert answer.candidates[0].finish_reason.name == "STOP"

    return call


def with_xai_sdk() -> Call:
    import xai_sdk
    from xai_sdk.chat import user

    client: Any = None

    def call(number: int) -> None:
        nonlocal client
        client = client or xai_sdk.Client(api_key=KEY)
        chat = client.chat.create(model="grok-4", messages=[user("hello")])
        if number % 2:
            *_, (answer, _) = chat.stream()
        else:
            answer = chat.sample()
        used = answer.usage
        assert used.total_tokens == used.prompt_tokens + used.completion_tokens + used.reasoning_tokens
        assert answer.finish_reason == "REASON_STOP"

    return call


def main() -> None:
    call = globals()[f"with_{sys.argv[1].replace('-', '_')}"]()
    print("ready", flush=True)
    for number in range(int(sys.stdin.readline())):
        call(number)
    print("done", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
