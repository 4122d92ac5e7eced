"""
Which plaintext connections are taken, among those that begin like a request to an API.

The kernel side knows a descriptor and its bytes.  A file can hold the same bytes, and a connection that is older than the agent has an unknown peer:
/proc and the socket say both while the descriptor is open.  What is not taken is refused once, and from then on costs the kernel one look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.capture.records import PLAIN_POINTER
from agent.capture.ring import Happening
from agent.host.sockets import Kind, connection_of, kind_of
from agent.model import Chunk, Closed, ConnId, Judgement, Opened, Verdict

# As many as the kernel's map holds.  An end that found no room in the ring leaves its entry behind; who is forgotten too early is asked about again.
MAX_KNOWN = 65_536


class Plaintext:
    """``ports`` () means any."""

    def __init__(self, ports: Iterable[int], judge: Callable[[Verdict], object]) -> None:
        self._ports = frozenset(ports)
        self._judge = judge
        self._taken: dict[ConnId, bool] = {}
        """By connection, until it is closed."""
        self.refused = 0
        """Connections."""

    def admitted(self, happened: list[Happening]) -> list[Happening]:
        """What is left of it."""
        return [passed for one in happened if (passed := self._pass(one)) is not None]

    def _pass(self, one: Happening) -> Happening | None:
        if not isinstance(one, Chunk | Opened | Closed) or not one.conn.pointer & PLAIN_POINTER:
            return one
        if isinstance(one, Closed):
            return one if self._taken.pop(one.conn, False) else None
        taken = self._taken.get(one.conn)
        if isinstance(one, Chunk):
            if taken is None:  # there was no room in the ring to tell that it was opened
                taken = self._decide(Opened(conn=one.conn, peer=None, is_socket=False, at_ns=one.at_ns)) is not None
            return one if taken else None
        return self._decide(one) if taken is None else None

    def _decide(self, opened: Opened) -> Opened | None:
        conn, peer, is_socket = opened.conn, opened.peer, opened.is_socket
        if peer is None:
            descriptor = conn.pointer & ~PLAIN_POINTER
            kind = kind_of(conn.pid, descriptor)
            # Of one that is closed already its first call may tell.
            is_socket = kind is Kind.SOCKET or (is_socket and kind is Kind.GONE)
            connection = connection_of(conn.pid, descriptor)
            peer = connection.peer if connection is not None else None
        taken = is_socket and (not self._ports or (peer is not None and peer.port in self._ports))
        self._taken[conn] = taken
        if len(self._taken) > MAX_KNOWN:
            del self._taken[next(iter(self._taken))]
        if taken:
            return replace(opened, peer=peer, is_socket=True)
        self.refused += 1
        self._judge(Verdict(conn=conn, judgement=Judgement.IGNORE, reason="not_selected"))
        return None
