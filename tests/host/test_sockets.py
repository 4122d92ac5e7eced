"""Descriptors of other processes, real ones."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.host.sockets import Connection, Kind, connection_of, kind_of
from agent.model import Peer

ELSEWHERE = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print(connection.fileno(), flush=True)
sys.stdin.read()
"""


def asked(pid: int, descriptor: int) -> Connection:
    connection = connection_of(pid, descriptor)
    assert connection is not None
    return connection


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_real_connection_of_another_process(host: str) -> None:
    """Its kind, and the server's address as the client named it; afterwards only the client holds it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-I", "-c", ELSEWHERE, host, str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout
            assert client.stdin
            served, _ = listener.accept()
            descriptor = int(client.stdout.readline())
            assert kind_of(client.pid, descriptor) is Kind.SOCKET
            if os.geteuid() == 0:  # who is not may not trace it everywhere
                assert asked(client.pid, descriptor).peer == Peer(address=host, port=port)
                assert asked(client.pid, descriptor).cookie == asked(client.pid, descriptor).cookie > 0
            client.stdin.close()
            assert served.recv(1) == b"", "its end is seen as soon as the client has gone"
            served.close()


def test_of_a_listener_there_is_no_peer() -> None:
    """A socket, and nobody at the other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert kind_of(os.getpid(), listener.fileno()) is Kind.SOCKET
        assert connection_of(os.getpid(), listener.fileno()) is None


def test_ipv4_on_a_socket_of_both_families_is_ipv4() -> None:
    """As the same address is written everywhere else."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_INET6) as client:
        port = listener.getsockname()[1]
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        client.connect(("::ffff:127.0.0.1", port))
        assert asked(os.getpid(), client.fileno()).peer == Peer(address="127.0.0.1", port=port)


def test_what_is_no_tcp_connection() -> None:
    """A file, a pipe, a datagram socket, a socket of the machine itself; and what is closed is gone, which is not the same."""
    reading, writing = os.pipe()
    here, there = socket.socketpair()
    with open(__file__, "rb") as file, here, there, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("127.0.0.1", 9))
        assert kind_of(os.getpid(), file.fileno()) is kind_of(os.getpid(), reading) is Kind.OTHER
        assert kind_of(os.getpid(), here.fileno()) is Kind.SOCKET
        for one in (file.fileno(), reading, here.fileno(), datagrams.fileno()):
            assert connection_of(os.getpid(), one) is None
    os.close(reading)
    os.close(writing)
    assert kind_of(os.getpid(), reading) is Kind.GONE
    assert connection_of(os.getpid(), reading) is None


def test_a_close_that_waits_does_not_wait_here() -> None:
    """SO_LINGER on a full connection: if the owner closes it while we look, the wait is not ours.  Nothing of ours stays open behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
        before = len(os.listdir("/proc/self/fd"))
        assert asked(os.getpid(), client.fileno()).peer == Peer(address="127.0.0.1", port=listener.getsockname()[1])
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(timeout=5)
        assert len(os.listdir("/proc/self/fd")) == before
        client.close()
        served.close()


def test_an_unknown_process(tmp_path: Path) -> None:
    """Nothing there."""
    assert kind_of(1, 1, tmp_path) is Kind.GONE
    assert connection_of(2**22 + 1, 1) is None
