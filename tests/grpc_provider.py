"""
A provider that speaks gRPC, over the TLS of grpcio's own wheel: Gemini on Vertex AI, xAI's chat, Pinecone's query; it books what it served.

``PYTHONPATH=GRPCIO python -m tests.grpc_provider --certificate PEM --books FILE``: says ``ready PORT`` and serves until its input ends.  Messages are
written here by their numbers in the vendors' .proto files, sharing nothing with ``agent.dialects``; the vendors' own SDKs read them in the coverage matrix.

A client asks for troubles in its metadata, ``x-trouble``: ``refuse`` (an error before any answer), ``break`` (an error after half a stream), ``stall`` (half
an answer, and nothing more until the client has gone).  Every third answer of a client is compressed, if it takes that.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import grpc

from agent.demo.books import Served, Tokens, cost_usd, to_line
from agent.demo.provider.exchange import KEY_PREFIX, Draw
from tests.grpc_hosts import READ_UNITS

_VERTEX = "google.cloud.aiplatform.v1.PredictionService"
# Half of a stream that breaks or stalls.
_HALF = 2


# ------------------------------------------------------------------------------------------------------------ protocol buffers


def varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(parts) + bytes([value])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """(number, value) in their order; what is 0 or empty is not sent, as proto3 has it.  A message inside is its bytes."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(varint(number << 3) + varint(value) if value else b"")
        else:
            data = value.encode() if isinstance(value, str) else value
            parts.append(varint(number << 3 | 2) + varint(len(data)) + data if data else b"")
    return b"".join(parts)


def text(data: bytes, wanted: int) -> str:
    """A field of a request, which has texts and messages only before it."""
    at = 0
    while at < len(data):
        number, size = data[at] >> 3, 0
        assert data[at] & 7 == 2, "a field of another kind"
        at += 1
        for shift in range(0, 63, 7):
            size |= (data[at] & 0x7F) << shift
            at += 1
            if data[at - 1] < 0x80:
                break
        if number == wanted:
            return data[at : at + size].decode()
        at += size
    return ""


# ------------------------------------------------------------------------------------------------------------ what is answered


def gemini(asked: bytes, draw: Draw, streaming: bool) -> tuple[Served, list[bytes]]:
    """google/cloud/aiplatform/v1/prediction_service.proto and content.proto.  As over REST, a stream's first counts are provisional."""
    model = text(asked, 5).rpartition("/")[2]
    tokens = draw.tokens(reasoning=True)
    identity, words = draw.identity(""), draw.words(tokens.output)

    def answer(said: str, prompt: int, output: int, reason: int) -> bytes:
        content = message((1, "model"), (2, message((1, said))))
        total = prompt + output + tokens.reasoning
        counts = message((1, prompt), (2, output), (3, total), (5, tokens.cache_read), (14, tokens.reasoning))
        return message((2, message((2, content), (3, reason))), (4, counts), (11, model), (13, identity))

    api = "gemini/streamGenerateContent" if streaming else "gemini/generateContent"
    whole = answer("".join(words) if not streaming else words[-1], tokens.all_input, tokens.output, 1)
    begun = [
        answer(word, tokens.all_input + 7, number + 1, 0) for number, word in enumerate(words[:-1] if streaming else ())
    ]
    return _served("gcp.vertex_ai", api, model, tokens, streaming), [*begun, whole]


def xai(asked: bytes, draw: Draw, streaming: bool) -> tuple[Served, list[bytes]]:
    """xai/api/v1/chat.proto and usage.proto: a stream's usage grows chunk by chunk."""
    model = text(asked, 2)
    tokens = draw.tokens(reasoning=True)
    identity, words = draw.identity(""), draw.words(tokens.output)

    def usage(output: int) -> bytes:
        prompt = tokens.all_input
        total = prompt + output + tokens.reasoning
        return message((1, output), (2, prompt), (3, total), (4, prompt), (6, tokens.reasoning), (7, tokens.cache_read))

    if not streaming:
        outputs = message((1, 3), (3, message((1, "".join(words)), (2, 2))))
        answers = [message((1, identity), (2, outputs), (6, model), (9, usage(tokens.output)))]
        return _served("x_ai", "xai/GetCompletion", model, tokens, streaming), answers
    answers = [
        message(
            (1, identity),
            (2, message((1, message((1, word), (2, 2))), (3, 3 if number == len(words) else 0))),
            (4, model),
            (6, usage(number)),
        )
        for number, word in enumerate(words, 1)
    ]
    return _served("x_ai", "xai/GetCompletionChunk", model, tokens, streaming), answers


def pinecone(_asked: bytes, draw: Draw, _streaming: bool) -> tuple[Served, list[bytes]]:
    """db_data's vector_service.proto.  The books have no column for read units: its answers all use as many."""
    matches = [(2, message((1, draw.identity("v")))) for _ in range(3)]
    return _served("pinecone", "pinecone/data", "", None, False), [
        message(*matches, (3, "docs"), (4, message((1, READ_UNITS))))
    ]


def _served(provider: str, api: str, model: str, tokens: Tokens | None, streaming: bool) -> Served:
    return Served(
        client="",
        provider=provider,
        api=api,
        model=model,
        status=200,
        streaming=streaming,
        tokens=tokens,
        cost_usd=cost_usd(model, tokens) if tokens else None,
        protocol="gRPC",
    )


Answerer = Callable[[bytes, Draw, bool], tuple[Served, list[bytes]]]
METHODS: dict[str, dict[str, tuple[Answerer, bool]]] = {
    _VERTEX: {"GenerateContent": (gemini, False), "StreamGenerateContent": (gemini, True)},
    "xai_api.Chat": {"GetCompletion": (xai, False), "GetCompletionChunk": (xai, True)},
    "VectorService": {"Query": (pinecone, False)},
}


# ------------------------------------------------------------------------------------------------------------------- serving


class Provider:
    def __init__(self, books: TextIO) -> None:
        self._books = books
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def start(self, address: str, certificate: Path) -> tuple[grpc.Server, int]:
        # One for each call under way; those that stall hold theirs until the client has gone.
        server = grpc.server(ThreadPoolExecutor(16))
        server.add_generic_rpc_handlers([self._service(name, methods) for name, methods in METHODS.items()])
        pem = certificate.read_bytes()
        port = server.add_secure_port(address, grpc.ssl_server_credentials([(pem, pem)]))
        server.start()
        return server, port

    def _service(self, name: str, methods: dict[str, tuple[Answerer, bool]]) -> Any:
        handlers = {}
        for method, (answerer, streaming) in methods.items():
            kind = grpc.unary_stream_rpc_method_handler if streaming else grpc.unary_unary_rpc_method_handler
            handlers[method] = kind(self._handler(answerer, streaming))
        if name == _VERTEX:
            # Both sides stream; nothing that anybody counts.
            handlers["StreamRawPredict"] = grpc.stream_stream_rpc_method_handler(lambda asked, _: asked)
        return grpc.method_handlers_generic_handler(name, handlers)

    def _handler(self, answerer: Answerer, streaming: bool) -> Callable[[bytes, Any], Any]:
        def stream(asked: bytes, context: Any) -> Iterator[bytes]:
            said = {str(name): value for name, value in context.invocation_metadata()}
            key = said.get("authorization", said.get("api-key", ""))
            client = key.removeprefix("Bearer ").removeprefix(KEY_PREFIX) or "unknown"
            with self._lock:
                self._asked[client] += 1
                ordinal = self._asked[client]
            if ordinal % 3 == 0:
                context.set_compression(grpc.Compression.Gzip)
            served, answers = answerer(asked, Draw.of(client, ordinal), streaming)
            served = replace(served, client=client)
            yield from self._troubled(served, answers, context, said.get("x-trouble", ""))

        return stream if streaming else lambda asked, context: next(stream(asked, context), b"")

    def _troubled(self, served: Served, answers: Sequence[bytes], context: Any, trouble: str) -> Iterator[bytes]:
        if trouble == "refuse":
            self._book(replace(served, status=429, tokens=None, cost_usd=None))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "made up by the tests")
        if trouble:
            yield from answers[:_HALF] if served.streaming else ()
        if trouble == "stall":
            gone = threading.Event()
            if context.add_callback(gone.set):
                gone.wait()
            return
        if trouble == "break":
            self._book(replace(served, status=503, tokens=None, cost_usd=None))
            context.abort(grpc.StatusCode.UNAVAILABLE, "made up by the tests")
        yield from answers[:-1]
        # Who has the whole answer must find it in the books.
        self._book(served)
        yield answers[-1]

    def _book(self, served: Served) -> None:
        with self._lock:
            self._books.write(to_line(served))
            self._books.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1:0")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file: certificate chain and key")
    parser.add_argument("--books", type=Path, required=True)
    given = parser.parse_args()
    with given.books.open("a", encoding="utf-8") as books:
        server, port = Provider(books).start(given.address, given.certificate)
        print(f"ready {port}", flush=True)
        sys.stdin.read()
        server.stop(grace=None)


if __name__ == "__main__":
    main()
