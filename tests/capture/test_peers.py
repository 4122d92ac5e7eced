"""Which connection's address is told: only what is still so after the socket has answered."""

from __future__ import annotations

import ctypes

from agent.capture.peers import MAX_KNOWN, Descriptor, Fate, Peers, Sighting, told_peer
from agent.capture.records import GIVEN, MEMORY, PLAIN_POINTER, PeerAddress
from agent.host.sockets import Connection
from agent.model import Closed, ConnId, Peer

SERVICE, OTHER = Peer(address="10.0.0.7", port=443), Peer(address="10.0.0.8", port=443)


COOKIE = 4000


def conn(pointer: int = 1) -> ConnId:
    return ConnId(pid=7, pointer=pointer, born_ns=1)


class Case:
    """A machine of which everything can be said."""

    def __init__(self) -> None:
        self.descriptors: dict[ConnId, Descriptor] = {}
        self.sockets: dict[int, Peer] = {}
        self.sightings: dict[ConnId, Sighting] = {}
        self.asked: list[int] = []
        self.peers = self.fresh()

    def fresh(self) -> Peers:
        return Peers(self.descriptors.get, connection_of=self._connection_of, sighting_of=self.sightings.get)

    def _connection_of(self, pid: int, descriptor: int) -> Connection | None:
        assert pid == 7
        self.asked.append(descriptor)
        peer = self.sockets.get(descriptor)
        return Connection(peer, COOKIE + descriptor) if peer is not None else None

    def end(self, *of: ConnId) -> None:
        self.peers.turn([Closed(conn=one, at_ns=1) for one in of])
        for one in of:
            self.descriptors.pop(one, None)

    @property
    def fates(self) -> dict[Fate, int]:
        return {fate: number for fate, number in self.peers.fates.items() if number}


def test_what_is_known_is_asked_once() -> None:
    """And stays known for the calls that are told behind the connection's end."""
    case = Case()
    case.descriptors[conn()] = Descriptor(5, GIVEN)
    case.sockets[5] = SERVICE
    assert [case.peers.peer_of(conn()) for _ in range(3)] == [SERVICE] * 3
    case.end(conn())
    assert case.peers.peer_of(conn()) == SERVICE
    assert case.asked == [5]
    case.end()
    assert case.peers.peer_of(conn()) is None
    assert case.fates == {Fate.GIVEN: 1}


def test_another_connection_with_the_number_by_then() -> None:
    """The kernel side says so behind the socket's answer: the answer is not used."""
    case = Case()
    case.descriptors[conn()] = Descriptor(5, GIVEN)

    def closed_meanwhile(_: int, __: int) -> Connection:
        del case.descriptors[conn()]
        return Connection(OTHER, COOKIE)

    peers = Peers(case.descriptors.get, connection_of=closed_meanwhile)
    assert peers.peer_of(conn()) is None
    assert peers.peer_of(conn()) is None


def test_what_is_learnt_later() -> None:
    """Unknown when it was judged, known at the second call."""
    case = Case()
    case.sockets[5] = SERVICE
    assert case.peers.cookie_of(conn()) == 0
    assert case.peers.peer_of(conn()) is None
    assert case.peers.cookie_of(conn()) == 0
    case.descriptors[conn()] = Descriptor(5, MEMORY)
    assert case.peers.peer_of(conn()) == SERVICE
    assert case.peers.cookie_of(conn()) == COOKIE + 5
    case.end(conn())
    case.end()
    assert case.fates == {Fate.MEMORY: 1}


def test_every_connection_is_counted_once() -> None:
    """By how it came out, at its end."""
    case = Case()
    case.descriptors = {conn(2): Descriptor(6, GIVEN)}
    case.peers = case.fresh()
    case.sockets[5] = SERVICE
    asked = [case.peers.peer_of(conn(pointer)) for pointer in (1, 2, 3, 2)]
    assert asked == [None] * 4
    assert case.asked == [6], "a descriptor that is no connection is not asked again"
    case.end(conn(1), conn(2), conn(3))
    case.end()
    assert case.fates == {Fate.NO_DESCRIPTOR: 2, Fate.NO_ADDRESS: 1}


def test_plaintext_says_it_itself() -> None:
    """Nothing is asked."""
    case = Case()
    assert case.peers.peer_of(conn(PLAIN_POINTER | 5)) is None
    case.end(conn(PLAIN_POINTER | 5))
    case.end()
    assert case.fates == {}


def test_ends_that_are_never_told() -> None:
    """The oldest is forgotten, and counted."""
    case = Case()
    for pointer in range(MAX_KNOWN + 3):
        case.peers.peer_of(conn(pointer))
    assert case.fates == {Fate.NO_DESCRIPTOR: 3}


def test_its_packets_say_it() -> None:
    """Where no descriptor does; asked again until it is settled, not after."""
    case = Case()
    assert case.peers.peer_of(conn()) is None
    case.sightings[conn()] = Sighting(socket=4, peer=SERVICE, times=1)
    assert case.peers.peer_of(conn()) == SERVICE
    assert case.peers.cookie_of(conn()) == 4
    case.sightings[conn()] = Sighting(socket=4, peer=SERVICE, times=3)
    assert case.peers.peer_of(conn()) == SERVICE
    del case.sightings[conn()]
    assert case.peers.peer_of(conn()) == SERVICE
    case.end(conn())
    case.end()
    assert case.fates == {Fate.PACKET: 1}


def test_two_sockets_are_none() -> None:
    """The word is taken back, with the cookie, and stays so."""
    case = Case()
    case.sightings[conn()] = Sighting(socket=4, peer=SERVICE, times=1)
    assert case.peers.peer_of(conn()) == SERVICE
    case.sightings[conn()] = Sighting(socket=4, peer=None, times=1)
    assert (case.peers.peer_of(conn()), case.peers.cookie_of(conn())) == (None, 0)
    case.sightings[conn()] = Sighting(socket=4, peer=SERVICE, times=1)
    assert case.peers.peer_of(conn()) is None
    case.end(conn())
    case.end()
    assert case.fates == {Fate.CONTRADICTED: 1}


def test_what_the_program_told_comes_first() -> None:
    """A descriptor is certain; its packets speak where its socket can't be asked any more."""
    case = Case()
    case.descriptors = {conn(1): Descriptor(5, GIVEN), conn(2): Descriptor(6, GIVEN)}
    case.sockets[5] = SERVICE
    case.sightings = {conn(1): Sighting(9, OTHER, 1), conn(2): Sighting(9, OTHER, 1)}
    case.peers = case.fresh()
    assert [case.peers.peer_of(conn(pointer)) for pointer in (1, 2)] == [SERVICE, OTHER]
    case.end(conn(1), conn(2))
    case.end()
    assert case.fates == {Fate.GIVEN: 1, Fate.PACKET: 1}


def test_packets_that_can_not_be_seen() -> None:
    """Are another reason than packets that said nothing."""
    peers = Peers({}.get)
    assert peers.peer_of(conn()) is None
    peers.turn([Closed(conn=conn(), at_ns=1)])
    peers.turn([])
    assert peers.fates[Fate.NO_PACKETS] == 1


def test_addresses_that_are_told() -> None:
    """Both families, IPv4 in IPv6's form, and a family that has none."""
    four, six = bytes([10, 0, 0, 7]) + bytes(12), bytes(15) + b"\1"
    mapped = bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 7])
    for raw, family, address in ((four, 2, "10.0.0.7"), (six, 10, "::1"), (mapped, 10, "10.0.0.7"), (four, 1, "")):
        told = PeerAddress((ctypes.c_uint8 * 16)(*raw), family, 443)
        assert told_peer(told) == (Peer(address=address, port=443) if address else None)
