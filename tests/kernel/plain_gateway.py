"""
A fake of an AI gateway: plain_gateway.py PORT asks the server at PORT what it is asked, as somebody who calls a provider, and passes the answer on as it comes.

It stands for LiteLLM's proxy: it has a connection of its own, and the answer's id is the provider's.
"""

import asyncio
import re
import sys

UPSTREAM = int(sys.argv[1])


async def message(reader: asyncio.StreamReader, to: asyncio.StreamWriter, host: bytes = b"") -> bool:
    """Passes one on, with another host; whether there was one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return False
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    to.write(re.sub(rb"(?i)\r\nhost: [^\r]*", b"\r\nHost: " + host, head) if host else head)
    if length:
        to.write(await reader.readexactly(int(length[1])))
    else:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            to.write(line + await reader.readexactly(size + 2))
            await to.drain()
            if not size:
                break
    await to.drain()
    return True


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", UPSTREAM)
    while await message(reader, back, b"api.openai.com"):
        await message(there, writer)
    back.close()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
