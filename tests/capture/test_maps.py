"""Single entries of real maps."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.maps import Maps
from agent.capture.peers import Descriptor
from agent.capture.records import GIVEN, PLAIN_POINTER, Conn, ConnKey, DescriptorValue
from agent.model import ConnId

pytestmark = pytest.mark.kernel
CONN = ConnId(pid=7, pointer=1, born_ns=5)
KEY, PLACE = ConnKey(ssl=1, tgid=7), ConnKey(ssl=PLAIN_POINTER | 4, tgid=7)


@pytest.fixture
def maps() -> Iterator[Maps]:
    if os.geteuid():
        pytest.skip("needs root: real maps")
    kernel = Kernel(KernelSettings(ring_bytes=1 << 16, max_connections=64, max_threads=64, max_descriptors=64))
    yield kernel._maps
    kernel.close()


def test_a_descriptor_is_whose_it_was_told_last(maps: Maps) -> None:
    """It is known while the connection lives that has it, and only of that one."""
    assert maps.descriptor_of(CONN) is None
    assert maps.update("descriptors", KEY, DescriptorValue(number=4, how=GIVEN))
    assert maps.update("holders", PLACE, ctypes.c_uint64(CONN.pointer))
    assert maps.descriptor_of(CONN) is None, "there is no such connection"
    assert maps.update("connections", KEY, Conn(born_ns=6))
    assert maps.descriptor_of(CONN) is None, "there is another one at its address"
    assert maps.update("connections", KEY, Conn(born_ns=5))
    assert maps.descriptor_of(CONN) == Descriptor(4, GIVEN)
    assert maps.update("holders", PLACE, ctypes.c_uint64(99))
    assert maps.descriptor_of(CONN) is None, "the number was told of another one since"


def test_forgotten_is_forgotten(maps: Maps) -> None:
    """Everything of a connection; but a number that another one has by now stays that one's."""
    for holder, left in ((CONN.pointer, 0), (99, 1)):
        maps.update("connections", KEY, Conn(born_ns=5))
        maps.update("descriptors", KEY, DescriptorValue(number=4, how=GIVEN))
        maps.update("holders", PLACE, ctypes.c_uint64(holder))
        maps.forget(KEY)
        assert (maps.keys("connections"), maps.keys("descriptors")) == ([], [])
        assert len(maps.keys("holders")) == left
