"""
gRPC by grpcio, whose wheel brings a TLS of its own, told on standard input: ``open``, ``gemini NUMBER``, ``xai NUMBER`` (every other one streamed),
``pinecone NUMBER``, ``many NUMBER`` (streams at once), ``zipped NUMBER`` (requests too), ``raw`` (both sides stream), ``refuse``, ``break``, ``cancel``,
``deadline``, ``close``, ``channels NUMBER`` (each opened, asked once and closed).  Serializers there are none: a message is its bytes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import grpc

VERTEX = "/google.cloud.aiplatform.v1.PredictionService/"
HOSTS = {
    VERTEX: "us-central1-aiplatform.googleapis.com",
    "/xai_api.Chat/": "api.x.ai",
    "/VectorService/": "docs-abc123.svc.aped-4627-b74a.pinecone.io",
}
MODEL = b"projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-flash"
# content: {role: "user", parts: {text: "hello"}}, model; messages: {content: {text: "hello"}}, model; namespace, top_k.
GEMINI = b"\x12\x0f\x0a\x04user\x12\x07\x0a\x05hello" + b"\x2a" + bytes([len(MODEL)]) + MODEL
XAI = b"\x0a\x0b\x0a\x07\x0a\x05hello\x10\x01" + b"\x12\x06grok-4"
PINECONE = b"\x0a\x04docs\x10\x03"
KEY = [("authorization", "Bearer sk-demo-grpc")]
# More than a loaded machine needs, and far less than the provider stalls.
_DEADLINE_SECONDS = 0.3


class Client:
    def __init__(self, port: str, authority: str) -> None:
        self._target = f"127.0.0.1:{port}"
        self._credentials = grpc.ssl_channel_credentials(Path(authority).read_bytes())
        self._channels: dict[str, grpc.Channel] = {}

    def open(self) -> None:
        for service, host in HOSTS.items():
            options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
            # Each with a connection of its own, as different hosts have.
            options.append(("grpc.use_local_subchannel_pool", 1))
            self._channels[service] = grpc.secure_channel(self._target, self._credentials, options)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def channels(self, count: int) -> None:
        for _ in range(count):
            self.open()
            self.gemini(1)
            self.close()

    def gemini(self, count: int, **options: Any) -> None:
        for number in range(count):
            if number % 2:
                assert list(self._stream(VERTEX + "StreamGenerateContent", GEMINI, **options))
            else:
                assert self._unary(VERTEX + "GenerateContent", GEMINI, **options)

    def zipped(self, count: int) -> None:
        self.gemini(count, compression=grpc.Compression.Gzip)

    def xai(self, count: int) -> None:
        for number in range(count):
            if number % 2:
                assert list(self._stream("/xai_api.Chat/GetCompletionChunk", XAI))
            else:
                assert self._unary("/xai_api.Chat/GetCompletion", XAI)

    def pinecone(self, count: int) -> None:
        for _ in range(count):
            assert self._unary("/VectorService/Query", PINECONE)

    def many(self, count: int) -> None:
        # Each is read to its end by a thread of grpcio's own.
        streams = [self._stream(VERTEX + "StreamGenerateContent", GEMINI) for _ in range(count)]
        assert all(list(stream) for stream in streams)

    def raw(self) -> None:
        call = self._channels[VERTEX].stream_stream(VERTEX + "StreamRawPredict")
        assert list(call(iter([b"a", b"b"]), metadata=KEY)) == [b"a", b"b"]

    def refuse(self) -> None:
        self._fails(
            grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: self._unary(VERTEX + "GenerateContent", GEMINI, "refuse")
        )

    def breaks(self) -> None:
        stream = self._stream(VERTEX + "StreamGenerateContent", GEMINI, "break")
        self._fails(grpc.StatusCode.UNAVAILABLE, lambda: list(stream))

    def cancel(self) -> None:
        stream = self._stream(VERTEX + "StreamGenerateContent", GEMINI, "stall")
        assert next(stream)
        stream.cancel()

    def deadline(self) -> None:
        call = self._channels[VERTEX].unary_unary(VERTEX + "GenerateContent")
        said = [*KEY, ("x-trouble", "stall")]
        self._fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: call(GEMINI, metadata=said, timeout=_DEADLINE_SECONDS))

    def _unary(self, method: str, asked: bytes, trouble: str = "", **options: Any) -> bytes:
        call = self._channel(method).unary_unary(method)
        return call(asked, metadata=[*KEY, *_trouble(trouble)], **options)

    def _stream(self, method: str, asked: bytes, trouble: str = "", **options: Any) -> Any:
        call = self._channel(method).unary_stream(method)
        return call(asked, metadata=[*KEY, *_trouble(trouble)], **options)

    def _channel(self, method: str) -> grpc.Channel:
        return next(channel for service, channel in self._channels.items() if method.startswith(service))

    def _fails(self, code: grpc.StatusCode, call: Any) -> None:
        try:
            call()
        except grpc.RpcError as error:
            assert error.code() is code, error
        else:
            raise AssertionError("it did not fail")


def _trouble(word: str) -> list[tuple[str, str]]:
    return [("x-trouble", word)] if word else []


def main() -> None:
    client = Client(sys.argv[-1], sys.argv[1])
    for line in sys.stdin:
        word, *numbers = line.split()
        getattr(client, {"break": "breaks"}.get(word, word))(*map(int, numbers))
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
