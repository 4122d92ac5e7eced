"""
Whom a TLS connection goes to.

The kernel side knows a connection's descriptor, where that was told or found out; its socket knows the other end.  It is asked only for connections that
were judged ours, once, and as soon as that is known: later the descriptor may be another connection's.  A wrong answer is worse than none.  So what counts
is what is still so after the socket has answered: the connection has not ended, and the number was given to nobody else.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.capture.records import GIVEN, MEMORY, PLAIN_POINTER
from agent.host.sockets import Connection, connection_of
from agent.model import Closed, ConnId, Peer

# As many as the pipeline keeps; who is forgotten too early is asked about again.
MAX_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the kernel side says of a connection that has not ended."""

    number: int
    how: int
    """``enum descriptor_how``"""


class Fate(enum.StrEnum):
    """How it came out, for a connection that was judged ours."""

    GIVEN = "given"
    """The program gave the descriptor to the library."""
    MEMORY = "memory"
    """The descriptor stands in the connection's memory: Go."""
    NO_DESCRIPTOR = "no_descriptor"
    """Nobody saw which one it uses."""
    NO_ADDRESS = "no_address"
    """It is no TCP socket, was gone before it could be looked at, or may not be looked at."""


_HOW = {GIVEN: Fate.GIVEN, MEMORY: Fate.MEMORY}


@dataclass(slots=True)
class _Known:
    peer: Peer | None = None
    cookie: int = 0
    fate: Fate = Fate.NO_DESCRIPTOR
    looked_at: set[int] = field(default_factory=set)
    """Descriptors that are no TCP connection's."""


class Peers:
    """``descriptor_of`` says what the kernel side knows now; None where the connection has ended or its descriptor is another's by now."""

    def __init__(
        self,
        descriptor_of: Callable[[ConnId], Descriptor | None],
        connection_of: Callable[[int, int], Connection | None] = connection_of,
    ) -> None:
        self._descriptor_of = descriptor_of
        self._connection_of = connection_of
        self._known: OrderedDict[ConnId, _Known] = OrderedDict()
        self._ended: list[ConnId] = []
        self.fates = dict.fromkeys(Fate, 0)
        """Connections that have ended, by how it came out."""

    def peer_of(self, conn: ConnId) -> Peer | None:
        """As far as it is known.  Ask when it is judged, and with every call."""
        if conn.pointer & PLAIN_POINTER:  # says it itself
            return None
        known = self._known.get(conn)
        if known is None:
            known = self._known[conn] = _Known()
            if len(self._known) > MAX_KNOWN:
                self._count(self._known.popitem(last=False)[1])
        if known.peer is None:
            self._look(conn, known)
        return known.peer

    def cookie_of(self, conn: ConnId) -> int:
        """Its socket's, which packets are known by; 0 where that is not known.  Ask behind ``peer_of``."""
        known = self._known.get(conn)
        return known.cookie if known is not None else 0

    def turn(self, happened: Iterable[object]) -> None:
        """At every poll, with what it brought.  Who ended is forgotten at the next one: its last call is told in between."""
        for conn in self._ended:
            known = self._known.pop(conn, None)
            if known is not None:
                self._count(known)
        self._ended = [one.conn for one in happened if isinstance(one, Closed)]

    def _count(self, known: _Known) -> None:
        self.fates[known.fate] += 1

    def _look(self, conn: ConnId, known: _Known) -> None:
        descriptor = self._descriptor_of(conn)
        if descriptor is None or descriptor.number in known.looked_at:
            return
        known.fate = Fate.NO_ADDRESS
        connection = self._connection_of(conn.pid, descriptor.number)
        if connection is not None and self._descriptor_of(conn) == descriptor:
            known.peer, known.cookie, known.fate = connection.peer, connection.cookie, _HOW[descriptor.how]
        else:
            known.looked_at.add(descriptor.number)
