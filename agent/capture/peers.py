"""
Whom a TLS connection goes to.

The kernel side knows a connection's descriptor, where that was told or found out; its socket knows the other end.  It is asked only for connections that
were judged ours, once, and as soon as that is known: later the descriptor may be another connection's.  A wrong answer is worse than none.  So what counts
is what is still so after the socket has answered: the connection has not ended, and the number was given to nobody else.
"""

from __future__ import annotations

import enum
import ipaddress
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.capture.records import GIVEN, MEMORY, PLAIN_POINTER, PeerAddress
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


@dataclass(frozen=True, slots=True)
class Sighting:
    """A socket that records of a connection were seen to leave through."""

    socket: int
    """Its cookie."""
    peer: Peer | None
    """None where two sockets were seen."""
    times: int


def told_peer(told: PeerAddress) -> Peer | None:
    """What the kernel side says of a socket's other end.  One of both families has IPv4's addresses in IPv6's form."""
    size = _ADDRESS_BYTES.get(told.family)
    if size is None:
        return None
    address = ipaddress.ip_address(bytes(told.address)[:size])
    return Peer(address=str(getattr(address, "ipv4_mapped", None) or address), port=told.port)


class Fate(enum.StrEnum):
    """How it came out, for a connection that was judged ours."""

    GIVEN = "given"
    """The program gave the descriptor to the library."""
    MEMORY = "memory"
    """The descriptor stands in the connection's memory: Go."""
    PACKET = "packet"
    """Its records were recognized as they left."""
    CONTRADICTED = "contradicted"
    """They seemed to leave through two sockets."""
    NO_PACKETS = "no_packets"
    """Nobody saw which one it uses, and packets can't be seen on this machine."""
    NO_DESCRIPTOR = "no_descriptor"
    """Nobody saw which one it uses, and no packet was recognized for sure."""
    NO_ADDRESS = "no_address"
    """It is no TCP socket, was gone before it could be looked at, or may not be looked at."""


# As often as the kernel side looks (bpf/egress.c, SETTLED_TIMES): until then it may still take its word back.
_SETTLED_TIMES = 3
_ADDRESS_BYTES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}
_HOW = {GIVEN: Fate.GIVEN, MEMORY: Fate.MEMORY}


@dataclass(slots=True)
class _Known:
    peer: Peer | None = None
    cookie: int = 0
    fate: Fate = Fate.NO_DESCRIPTOR
    looked_at: set[int] = field(default_factory=set)
    """Descriptors that are no TCP connection's."""
    settled: bool = False
    """Nothing more is to be learnt."""


class Peers:
    """
    ``descriptor_of`` says what the kernel side knows now; None where the connection has ended or its descriptor is another's by now.

    ``sighting_of`` says which socket its records were seen to leave through; None where packets can't be seen.
    """

    def __init__(
        self,
        descriptor_of: Callable[[ConnId], Descriptor | None],
        connection_of: Callable[[int, int], Connection | None] = connection_of,
        sighting_of: Callable[[ConnId], Sighting | None] | None = None,
    ) -> None:
        self._sighting_of = sighting_of
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
        if not known.settled:
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
        if self._ask_socket(conn, known):
            return
        if self._sighting_of is None:
            if known.fate is Fate.NO_DESCRIPTOR:
                known.fate = Fate.NO_PACKETS
            return
        seen = self._sighting_of(conn)
        if seen is None:
            return
        if seen.peer is None:
            known.peer, known.cookie, known.fate, known.settled = None, 0, Fate.CONTRADICTED, True
        else:
            known.peer, known.cookie, known.fate = seen.peer, seen.socket, Fate.PACKET
            known.settled = seen.times >= _SETTLED_TIMES

    def _ask_socket(self, conn: ConnId, known: _Known) -> bool:
        descriptor = self._descriptor_of(conn)
        if descriptor is None or descriptor.number in known.looked_at:
            return False
        known.fate = Fate.NO_ADDRESS
        connection = self._connection_of(conn.pid, descriptor.number)
        if connection is None or self._descriptor_of(conn) != descriptor:
            known.looked_at.add(descriptor.number)
            return False
        known.peer, known.cookie, known.fate = connection.peer, connection.cookie, _HOW[descriptor.how]
        known.settled = True
        return True
