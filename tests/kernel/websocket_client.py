"""
The client's side of recorded sessions, by Python's ``websockets``: ``play COMPRESSION FILE …`` for the port of the command line, answered with ``ok``.

Each file is a golden session; it goes to its own host's name, at 127.0.0.1.  By asyncio: two threads in one TLS connection, as in the
library's other client, now and then break each other in Python up to 3.12.
"""

import asyncio
import json
import os
import ssl
import sys
from typing import Any

from websockets.asyncio.client import connect


async def play(golden: dict[str, Any], port: int, compression: str | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    url = golden["url"].replace("ws://", "wss://")
    async with connect(
        url, host="127.0.0.1", port=port, ssl=context, compression=compression, proxy=None
    ) as connection:
        for direction, said in golden["messages"]:
            if direction == "sent":
                await connection.send(json.dumps(said))
            else:
                assert json.loads(await connection.recv()) == said


def main() -> None:
    for line in sys.stdin:
        _, compression, *paths = line.split()
        for path in paths:
            with open(path, encoding="utf-8") as file:
                golden = json.load(file)
            asyncio.run(play(golden, int(sys.argv[1]), None if compression == "none" else compression))
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
