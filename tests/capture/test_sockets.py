"""Sockets as signs, on real ones of this process; the port is another one, because 443 is not ours to take."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.capture import sockets
from agent.capture.plan import Sign
from agent.capture.sockets import signs_of


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6])
def listener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    try:
        made = socket.create_server((address, 0), family=request.param)
    except OSError:
        pytest.skip("this machine has no IPv6")
    monkeypatch.setattr(sockets, "_PORTS", (1, made.getsockname()[1]))
    with made:
        yield made


def test_a_connection_is_a_sign_while_it_is_open(listener: socket.socket) -> None:
    """Of the side that made it; listening on the port is none."""
    assert signs_of(os.getpid()) == set()
    with socket.create_connection(listener.getsockname()[:2]):
        assert signs_of(os.getpid()) == {Sign.TCP}
    assert signs_of(os.getpid()) == set()


def test_somebody_elses_connection_is_none(listener: socket.socket) -> None:
    """The table has all sockets of the network namespace."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with socket.create_connection(listener.getsockname()[:2]):
            assert signs_of(other.pid) == set()
        other.communicate(b"\n")


def test_datagrams_to_the_port_are_another_sign(listener: socket.socket) -> None:
    """A UDP socket that is connected, as most QUIC libraries' are."""
    with socket.socket(listener.family, socket.SOCK_DGRAM) as sender:
        sender.connect(listener.getsockname()[:2])
        assert signs_of(os.getpid()) == {Sign.UDP}


def test_the_clusters_api_server_is_none(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operator talks to it, by its service's address; also an IPv4 one from a socket of IPv6."""
    host, port = listener.getsockname()[:2]
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    with socket.create_connection((host, port)):
        assert signs_of(os.getpid()) == set()
    if listener.family == socket.AF_INET:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as mapped:
            mapped.connect((f"::ffff:{host}", port))
            assert signs_of(os.getpid()) == set()
            monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
            assert signs_of(os.getpid()) == {Sign.TCP}


def test_a_process_that_is_gone_gives_none() -> None:
    """No error either."""
    assert signs_of(2**22 + 1) == set()
