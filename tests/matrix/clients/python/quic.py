"""
The contract of ../README.md over HTTP/3 with aioquic, which brings its own TLS.  The matrix's provider speaks no HTTP/3, so the server is this
process too: that such a client is told is what there is to see.
"""

import asyncio
import datetime
import os
import ssl
import sys
import tempfile
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "api.openai.com"
BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}'
ANSWER = b'{"object":"chat.completion","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'


def certificate() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = [os.path.join(tempfile.mkdtemp(dir=os.environ["HOME"]), name) for name in ("cert.pem", "key.pem")]
    with open(paths[0], "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
    with open(paths[1], "wb") as file:
        clear = serialization.NoEncryption()
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, clear))
    return paths[0], paths[1]


class Both(QuicConnectionProtocol):
    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.http = H3Connection(self._quic)
        self.waiting: dict[int, asyncio.Future[bytes]] = {}

    def quic_event_received(self, event: Any) -> None:
        for seen in self.http.handle_event(event):
            if not isinstance(seen, HeadersReceived | DataReceived) or not seen.stream_ended:
                continue
            if seen.stream_id in self.waiting:
                self.waiting.pop(seen.stream_id).set_result(getattr(seen, "data", b""))
            else:
                self.http.send_headers(seen.stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
                self.http.send_data(seen.stream_id, ANSWER, True)
                self.transmit()

    async def call(self) -> None:
        stream = self._quic.get_next_available_stream_id()
        self.waiting[stream] = asyncio.get_running_loop().create_future()
        answer = self.waiting[stream]
        key = f"Bearer {os.environ['OPENAI_API_KEY']}".encode()
        head = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", HOST.encode())]
        self.http.send_headers(stream, [*head, (b":path", b"/v1/chat/completions"), (b"authorization", key)])
        self.http.send_data(stream, BODY, True)
        self.transmit()
        assert await answer == ANSWER


async def main() -> None:
    served = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    served.load_cert_chain(*certificate())
    await serve("127.0.0.1", 443, configuration=served, create_protocol=Both)
    asking = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    calls = int(await loop.run_in_executor(None, sys.stdin.readline))
    async with connect(HOST, 443, configuration=asking, create_protocol=Both) as connection:
        for _ in range(calls):
            await connection.call()  # type: ignore[attr-defined]
        print("done", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
