"""Descriptors of other processes, real and invented."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from agent.host.sockets import Kind, kind_of, peer_of
from agent.model import Peer


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_real_connection(family: socket.AddressFamily) -> None:
    """Its kind, and the server's address as the client named it; of a listener there is no peer."""
    host = "127.0.0.1" if family is socket.AF_INET else "::1"
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        kind, inode = kind_of(os.getpid(), client.fileno())
        assert kind is Kind.SOCKET
        assert peer_of(os.getpid(), inode) == Peer(address=host, port=listener.getsockname()[1])
        assert peer_of(os.getpid(), kind_of(os.getpid(), listener.fileno())[1]) is None


def test_what_is_no_socket() -> None:
    """A file, a pipe; and what is closed is gone, which is not the same."""
    reading, writing = os.pipe()
    with open(__file__, "rb") as file:
        assert kind_of(os.getpid(), file.fileno()) == (Kind.OTHER, 0)
    assert kind_of(os.getpid(), reading) == (Kind.OTHER, 0)
    os.close(reading)
    os.close(writing)
    assert kind_of(os.getpid(), reading) == (Kind.GONE, 0)


@pytest.mark.parametrize(
    "line", ["", "0: x", "0: 0:0 zz:10 01 0 0 0 0 0 77", "0: 0:0 0100007F:FFFFFFFFF 1 0 0 0 0 0 77"]
)
def test_a_table_that_makes_no_sense(tmp_path: Path, line: str) -> None:
    """Unknown, never an exception."""
    folder = tmp_path / "1" / "net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text(f"header\n{line}\n")
    assert peer_of(1, 77, tmp_path) is None


def test_an_unknown_process(tmp_path: Path) -> None:
    """Nothing there."""
    assert kind_of(1, 1, tmp_path) == (Kind.GONE, 0)
    assert peer_of(1, 1, tmp_path) is None
