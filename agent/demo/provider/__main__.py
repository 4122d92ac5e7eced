"""The fake provider as a process of its own: says ``ready`` on standard output once it listens, and ends with SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from agent.demo.provider.server import Server


async def _serve(host: str, port: int, certificate: Path, books: Path, plain_port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with books.open("a", encoding="utf-8") as lines:
        server = Server(lines)
        listener = await server.start(host, port, certificate)
        plain = await server.start(host, plain_port, None) if plain_port else None
        print(f"ready {listener.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - the parent waits for it
        await ended.wait()
        listener.close()
        if plain is not None:
            plain.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="podtab's fake AI provider")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--plain-port", type=int, default=0, help="also in plain HTTP, as models in a cluster; 0: not")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file: certificate chain and key")
    parser.add_argument("--books", type=Path, required=True, help="one JSON line per answer is appended here")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given.host, given.port, given.certificate, given.books, given.plain_port))


if __name__ == "__main__":
    main()
