"""
Asks a model over plain HTTP: ``plain_client.py KIND URL BODY TIMES``.

``requests`` and ``aiohttp`` are what applications use; the others do by hand what libraries seldom do.
"""

import asyncio
import json
import os
import re
import socket
import sys

KIND, URL, BODY, TIMES = sys.argv[1], sys.argv[2], sys.argv[3].encode(), int(sys.argv[4])
HOST, _, PATH = URL.removeprefix("http://").partition("/")
NAME, _, PORT = HOST.rpartition(":")
HEAD = f"POST /{PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


def whole_answer(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and (len(body) == int(length[1]) if length else body.endswith(b"\r\n0\r\n\r\n"))


def with_requests() -> None:
    import requests

    with requests.Session() as session:
        for _ in range(TIMES):
            session.post(URL, data=BODY, headers={"Content-Type": "application/json"}).raise_for_status()


async def with_aiohttp() -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def ask() -> None:
            async with session.post(URL, data=BODY, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()

        await asyncio.gather(*(ask() for _ in range(TIMES)))


def by_hand() -> None:
    for _ in range(TIMES):
        with socket.create_connection((NAME, int(PORT))) as connection:
            whole = HEAD + BODY
            if KIND == "pieces":  # many small ones, as Node and Go list them
                connection.sendmsg([whole[:5], b"", *(whole[at : at + 40] for at in range(5, len(whole), 40))])
            elif KIND == "writev":
                os.writev(connection.fileno(), [HEAD, BODY])
            elif KIND == "sendfile":
                connection.sendall(HEAD)
                file = os.memfd_create("body")
                os.write(file, BODY)
                os.sendfile(connection.fileno(), file, 0, len(BODY))
                os.close(file)
            else:
                connection.sendall(whole)
            if KIND == "peek":
                connection.recv(10, socket.MSG_PEEK)
            heard = b""
            while not whole_answer(heard):
                if KIND == "pieces":
                    buffers = [bytearray(7) for _ in range(12)]
                    size = connection.recvmsg_into(buffers)[0]
                    heard += b"".join(buffers)[:size]
                elif KIND == "writev":
                    heard += os.read(connection.fileno(), 4096)
                else:
                    heard += connection.recv(4096)


def as_a_file() -> None:
    """The same bytes, into a file that stays open."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), HEAD + BODY)
        print("ready", flush=True)
        sys.stdin.read()


def when_told() -> None:
    """A connection that is there before anybody looks."""
    with socket.create_connection((NAME, int(PORT))) as connection:
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(TIMES):
            os.write(connection.fileno(), HEAD + BODY)
            heard = b""
            while not whole_answer(heard):
                heard += os.read(connection.fileno(), 65536)
        print("done", flush=True)
        sys.stdin.read()


assert json.loads(BODY)
if KIND == "requests":
    with_requests()
elif KIND == "aiohttp":
    asyncio.run(with_aiohttp())
elif KIND == "file":
    as_a_file()
elif KIND == "told":
    when_told()
else:
    by_hand()
