"""A loopback that is as far away as a provider: everything arrives later, in either direction, and a connection takes a round trip."""

from __future__ import annotations

import queue
import socket
import threading
import time


class Relay:
    """To a port of this machine, with a delay each way."""

    def __init__(self, port: int, one_way_seconds: float) -> None:
        self._to = port
        self._delay_seconds = one_way_seconds
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threads = []
            for one, other in ((near, far), (far, near)):
                parts: queue.Queue[tuple[float, bytes]] = queue.Queue()
                threads += [
                    threading.Thread(target=self._take, args=(one, parts), daemon=True),
                    threading.Thread(target=self._give, args=(other, parts), daemon=True),
                ]
            time.sleep(2 * self._delay_seconds)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _take(self, source: socket.socket, parts: queue.Queue[tuple[float, bytes]]) -> None:
        while True:
            try:
                part = source.recv(65536)
            except OSError:
                part = b""
            parts.put((time.monotonic() + self._delay_seconds, part))
            if not part:
                return

    def _give(self, sink: socket.socket, parts: queue.Queue[tuple[float, bytes]]) -> None:
        while True:
            at, part = parts.get()
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                if not part:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(part)
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()
