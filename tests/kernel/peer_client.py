"""
Asks several models over TLS: ``peer_client.py KIND TIMES URL…``.  The model's name is the port that was asked, so that a call says where it went.

``requests`` asks one after the other on connections that it keeps, ``short`` on new ones, ``fork`` in a child each on what the parent opened;
``aiohttp`` asks all at once, and so does ``httpx``, in HTTP/2 if there is any; ``in-turn`` asks on one connection after
the other: five times on one, once on the next, which gets its memory.
"""

import asyncio
import json
import os
import socket
import ssl
import sys

KIND, TIMES, URLS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
HEADERS = {"Content-Type": "application/json"}


def body_of(url: str) -> bytes:
    port = url.partition("://")[2].partition("/")[0].rpartition(":")[2]
    return json.dumps({"model": f"port-{port}", "messages": [{"role": "user", "content": "hello"}]}).encode()


def with_requests() -> None:
    import requests

    requests.packages.urllib3.disable_warnings()
    with requests.Session() as session:
        for _ in range(TIMES):
            for url in URLS:
                session.post(url, data=body_of(url), headers=HEADERS, verify=False).raise_for_status()


async def with_aiohttp() -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context(), limit=0)) as session:

        async def ask(url: str) -> None:
            async with session.post(url, data=body_of(url), headers=HEADERS) as answer:
                assert answer.status == 200
                await answer.read()

        for _ in range(TIMES):
            await asyncio.gather(*(ask(url) for url in URLS))


async def in_turn() -> None:
    import aiohttp

    async def ask(url: str, times: int, *, idle_seconds: float) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context())) as session:
            for _ in range(times):
                async with session.post(url, data=body_of(url), headers=HEADERS) as answer:
                    assert answer.status == 200
                    await answer.read()
            await asyncio.sleep(idle_seconds)

    for _ in range(TIMES):
        for url, other in zip(URLS, URLS[1:] + URLS[:1], strict=True):
            await ask(url, 5, idle_seconds=1.2)  # no packet of it is looked for any more
            await ask(other, 1, idle_seconds=0)


async def with_httpx() -> None:
    import httpx2

    async with httpx2.AsyncClient(http2=True, verify=context(), limits=httpx2.Limits()) as client:

        async def ask(url: str) -> None:
            (await client.post(url, content=body_of(url), headers=HEADERS)).raise_for_status()

        for _ in range(TIMES):
            await asyncio.gather(*(ask(url) for url in URLS))


def context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if version := os.environ.get("TLS"):
        made.maximum_version = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
    return made


def connected(url: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, _, port = url.partition("://")[2].partition("/")[0].rpartition(":")
    return context.wrap_socket(socket.create_connection((host.strip("[]"), int(port))))


def ask(connection: ssl.SSLSocket, url: str) -> None:
    host, _, path = url.partition("://")[2].partition("/")
    body = body_of(url)
    head = f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    heard = b""
    while b"}}" not in heard:
        heard += connection.recv(4096)


def with_new_connections() -> None:
    shared = context()
    for _ in range(TIMES):
        for url in URLS:
            with connected(url, shared) as connection:
                ask(connection, url)


def with_children() -> None:
    """Whoever forks after a handshake has the connection's pointer and descriptor twice."""
    shared = context()
    for url in URLS:
        connection = connected(url, shared)
        for _ in range(TIMES):
            if not os.fork():
                ask(connection, url)
                os._exit(0)
            os.wait()
            connection = connected(url, shared)


if KIND == "requests":
    with_requests()
elif KIND == "aiohttp":
    asyncio.run(with_aiohttp())
elif KIND == "in-turn":
    asyncio.run(in_turn())
elif KIND == "httpx":
    asyncio.run(with_httpx())
elif KIND == "fork":
    with_children()
else:
    with_new_connections()
