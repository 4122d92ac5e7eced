"""
The contract of ../README.md in Python: ``client.py HOW``, one of the functions below.

Each imports what it needs: a process that has loaded the system's libssl beside its own would be found by that one, before its own is.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

HOST = "api.openai.com"
URL = f"https://{HOST}/v1/chat/completions"
KEY = os.environ["OPENAI_API_KEY"]
AUTHORITY = os.environ["SSL_CERT_FILE"]
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
MESSAGES: Any = [{"role": "user", "content": "hello"}]
MODEL = "gpt-4o-mini"

Call = Callable[[int], None]


def options(number: int) -> dict[str, Any]:
    return {"stream": True, "stream_options": {"include_usage": True}} if number % 2 else {}


def body(number: int) -> bytes:
    return json.dumps({"model": MODEL, "messages": MESSAGES, **options(number)}).encode()


def request(number: int) -> bytes:
    """As bytes, for those who write HTTP themselves."""
    content = body(number)
    lines = [f"{name}: {value}" for name, value in HEADERS.items()]
    head = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", f"Host: {HOST}", *lines])
    return f"{head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def whole(answer: bytes) -> bool:
    head, end, rest = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(rest) >= int(line.split(b":")[1])
    return bool(end) and rest.endswith(b"0\r\n\r\n")


def with_requests() -> Call:
    import requests

    session = requests.Session()
    session.headers.update(HEADERS)
    return lambda number: session.post(URL, body(number), verify=AUTHORITY).raise_for_status()


def with_httpx(http2: bool = False) -> Call:
    import ssl

    import httpx

    client = httpx.Client(http2=http2, verify=ssl.create_default_context(cafile=AUTHORITY), headers=HEADERS)

    def call(number: int) -> None:
        client.post(URL, content=body(number)).raise_for_status()

    return call


def with_httpx_h2() -> Call:
    return with_httpx(http2=True)


def with_aiohttp() -> Call:
    import asyncio
    import ssl

    import aiohttp

    loop = asyncio.new_event_loop()
    session: Any = None
    context = ssl.create_default_context(cafile=AUTHORITY)

    async def one(number: int) -> None:
        nonlocal session
        session = session or aiohttp.ClientSession(headers=HEADERS)
        async with session.post(URL, data=body(number), ssl=context) as answer:
            answer.raise_for_status()
            await answer.read()

    return lambda number: loop.run_until_complete(one(number))


def with_asyncio() -> Call:
    import asyncio
    import ssl

    loop = asyncio.new_event_loop()
    context = ssl.create_default_context(cafile=AUTHORITY)
    opened: list[Any] = []

    async def one(number: int) -> None:
        if not opened:
            opened.extend(await asyncio.open_connection(HOST, 443, ssl=context))
        reader, writer = opened
        writer.write(request(number))
        answer = b""
        while not whole(answer):
            answer += await reader.read(65536) or sys.exit("the connection ended")

    return lambda number: loop.run_until_complete(one(number))


def with_openai() -> Call:
    import openai

    client = openai.OpenAI()

    def call(number: int) -> None:
        answer: Any = client.chat.completions.create(model=MODEL, messages=MESSAGES, **options(number))
        if number % 2:
            assert list(answer)[-1].usage

    return call


def with_openai_async() -> Call:
    import asyncio

    import openai

    client = openai.AsyncOpenAI()
    loop = asyncio.new_event_loop()

    async def one(number: int) -> None:
        answer: Any = await client.chat.completions.create(model=MODEL, messages=MESSAGES, **options(number))
        if number % 2:
            assert [chunk async for chunk in answer][-1].usage

    return lambda number: loop.run_until_complete(one(number))


def with_anthropic() -> Call:
    import anthropic

    client = anthropic.Anthropic(api_key=KEY)

    def call(number: int) -> None:
        answer: Any = client.messages.create(
            model="claude-haiku-4-5", max_tokens=99, messages=MESSAGES, stream=bool(number % 2)
        )
        if number % 2:
            assert list(answer)

    return call


def with_boto3() -> Call:
    import boto3

    client = boto3.client("bedrock-runtime", region_name="us-east-1", verify=AUTHORITY)

    def call(number: int) -> None:
        asked: Any = {
            "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
            "messages": [{"role": "user", "content": [{"text": "hello"}]}],
        }
        if number % 2:
            assert list(client.converse_stream(**asked)["stream"])[-1]["metadata"]
        else:
            assert client.converse(**asked)["usage"]

    return call


def with_curl_cffi() -> Call:
    from curl_cffi import requests

    session: Any = requests.Session(impersonate="chrome", verify=AUTHORITY, headers=HEADERS)
    return lambda number: session.post(URL, data=body(number)).raise_for_status()


def with_pycurl() -> Call:
    import pycurl

    handle = pycurl.Curl()

    def call(number: int) -> None:
        for option, value in {
            pycurl.URL: URL,
            pycurl.CAINFO: AUTHORITY,
            pycurl.HTTPHEADER: [f"{name}: {value}" for name, value in HEADERS.items()],
            pycurl.POSTFIELDS: body(number),
            pycurl.WRITEFUNCTION: lambda _: None,
            pycurl.FAILONERROR: True,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        }.items():
            handle.setopt(option, value)
        handle.perform()

    return call


def with_urllib3_pyopenssl() -> Call:
    """Under urllib3, and so requests, pyOpenSSL may stand in for ssl."""
    import urllib3
    import urllib3.contrib.pyopenssl

    urllib3.contrib.pyopenssl.inject_into_urllib3()
    pool = urllib3.PoolManager(ca_certs=AUTHORITY)

    def call(number: int) -> None:
        assert pool.request("POST", URL, body=body(number), headers=HEADERS).status == 200

    return call


def with_awscrt(http2: bool = False) -> Call:
    import io

    import awscrt.io
    from awscrt import http

    bootstrap = awscrt.io.ClientBootstrap.get_or_create_static_default()
    options = awscrt.io.TlsContextOptions()
    options.override_default_trust_store_from_path(None, AUTHORITY)
    options.alpn_list = ["h2"] if http2 else ["http/1.1"]
    tls = awscrt.io.ClientTlsContext(options).new_connection_options()
    tls.set_server_name(HOST)
    connection: Any = None

    def call(number: int) -> None:
        nonlocal connection
        if connection is None:
            asked = {"host_name": HOST, "port": 443, "bootstrap": bootstrap, "tls_connection_options": tls}
            connection = http.HttpClientConnection.new(**asked).result()
        content = body(number)
        headers = [("host", HOST), ("content-length", str(len(content))), *HEADERS.items()]
        sent = awscrt.io.InputStream(io.BytesIO(content))
        request = http.HttpRequest("POST", "/v1/chat/completions", http.HttpHeaders(headers), sent)
        stream = connection.request(request)
        stream.activate()
        assert stream.completion_future.result() == 200

    return call


def with_awscrt_h2() -> Call:
    return with_awscrt(http2=True)


def with_plain() -> Call:
    """A model in the cluster, as vLLM and Ollama are asked: no TLS."""
    import http.client

    connection = http.client.HTTPConnection("vllm.models.svc.cluster.local", 8000)

    def call(number: int) -> None:
        connection.request("POST", "/v1/chat/completions", body(number), HEADERS)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)

    return call


def with_pyopenssl() -> Call:
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(AUTHORITY)
    context.set_verify(SSL.VERIFY_PEER)
    connection: Any = None

    def call(number: int) -> None:
        nonlocal connection
        if connection is None:
            connection = SSL.Connection(context, socket.create_connection((HOST, 443)))
            connection.set_tlsext_host_name(HOST.encode())
            connection.set_connect_state()
            connection.do_handshake()
        connection.sendall(request(number))
        answer = b""
        while not whole(answer):
            answer += connection.recv(65536)

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
