"""Which plaintext connections are taken, and that the others cost nothing further."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from agent.capture.plaintext import MAX_KNOWN, Plaintext
from agent.capture.records import PLAIN_POINTER
from agent.capture.ring import Happening, ProcessEnded
from agent.model import Chunk, Closed, ConnId, Direction, Judgement, Opened, Peer, Verdict

SERVICE = Peer(address="10.0.0.7", port=8000)


def conn(descriptor: int, pid: int = 0, born_ns: int = 1) -> ConnId:
    return ConnId(pid=pid or os.getpid(), pointer=PLAIN_POINTER | descriptor, born_ns=born_ns)


def opened(of: ConnId, peer: Peer | None = None, *, is_socket: bool = True) -> Opened:
    return Opened(conn=of, peer=peer, is_socket=is_socket, at_ns=1)


def chunk(of: ConnId) -> Chunk:
    return Chunk(conn=of, direction=Direction.SENT, position=0, data=b"POST", at_ns=1, last_at_ns=1, cgroup_id=1)


def closed(of: ConnId) -> Closed:
    return Closed(conn=of, at_ns=2)


class Case:
    def __init__(self, *ports: int) -> None:
        self.verdicts: list[Verdict] = []
        self.plaintext = Plaintext(ports, self.verdicts.append)

    def kept(self, *happened: Happening) -> list[Happening]:
        return self.plaintext.admitted(list(happened))

    @property
    def refused(self) -> list[ConnId]:
        assert {verdict.judgement for verdict in self.verdicts} <= {Judgement.IGNORE}
        return [verdict.conn for verdict in self.verdicts]


@pytest.fixture
def pair() -> Iterator[tuple[int, Peer]]:
    """A connection of ours, and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, port = listener.getsockname()
        with socket.create_connection((address, port)) as client:
            yield client.fileno(), Peer(address=address, port=port)


def test_a_connection_that_was_seen_to_connect() -> None:
    """Taken as it is told: nothing is asked, so it need not be there any more."""
    case, gone = Case(), conn(3, pid=2**22 + 1)
    happened = [opened(gone, SERVICE), chunk(gone), closed(gone)]
    assert case.kept(*happened) == happened
    assert not case.verdicts


def test_an_older_connection(pair: tuple[int, Peer]) -> None:
    """/proc says that it is a socket, and whose; also where there was no room to tell of it."""
    descriptor, peer = pair
    older = conn(descriptor)
    assert Case().kept(opened(older, is_socket=False)) == [opened(older, peer)]
    assert Case().kept(chunk(older)) == [chunk(older)]


def test_a_file_is_refused_once() -> None:
    """Its bytes go no further; the kernel is told, and its end is nobody's business."""
    case = Case()
    with open(__file__, "rb") as file:
        of = conn(file.fileno())
        assert case.kept(opened(of, is_socket=False), chunk(of), chunk(of), closed(of)) == []
    assert case.refused == [of]
    assert case.plaintext.refused == 1


def test_what_is_gone_is_taken_only_as_a_socket() -> None:
    """Of a process that has ended the kind of call tells: what was written as any file can be, is not taken."""
    sent, written = conn(3, pid=2**22 + 1), conn(4, pid=2**22 + 1)
    case = Case()
    assert case.kept(opened(sent), opened(written, is_socket=False), chunk(written)) == [opened(sent)]
    assert case.refused == [written]


def test_ports(pair: tuple[int, Peer]) -> None:
    """Only to those that are asked for, whoever says it; an unknown one is not among them."""
    descriptor, peer = pair
    older = conn(descriptor)
    assert Case(peer.port).kept(opened(older)) == [opened(older, peer)]
    assert Case(8000).kept(opened(older)) == []
    assert Case(8000).kept(opened(conn(3, pid=2**22 + 1))) == []


def test_the_same_descriptor_again() -> None:
    """A judgement is the connection's, not the number's."""
    case = Case()
    with open(__file__, "rb") as file:
        first, second = conn(file.fileno(), born_ns=1), conn(file.fileno(), born_ns=2)
        assert case.kept(chunk(first), closed(first)) == []
    assert case.kept(opened(second, SERVICE), chunk(second)) == [opened(second, SERVICE), chunk(second)]


def test_everything_else_passes() -> None:
    """TLS and processes are not its business, and what ended is forgotten."""
    tls = ConnId(pid=1, pointer=7, born_ns=1)
    case = Case(1)
    happened: list[Happening] = [chunk(tls), closed(tls), ProcessEnded(pid=1, at_ns=1)]
    assert case.kept(*happened) == happened
    for born_ns in range(1000):
        one = conn(3, born_ns=born_ns)
        case.kept(opened(one, SERVICE), closed(one))
    assert not case.plaintext._taken


def test_ends_that_never_come_are_bounded() -> None:
    """The oldest is forgotten; if it speaks again it is looked at again."""
    case = Case()
    for born_ns in range(MAX_KNOWN + 3):
        case.kept(opened(conn(3, born_ns=born_ns), SERVICE))
    assert len(case.plaintext._taken) == MAX_KNOWN
    with open(__file__, "rb") as file:
        assert case.kept(chunk(conn(file.fileno(), born_ns=0))) == []
