"""
The structs of ``bpf/podtab.h`` once more, for Python.

A test compiles the C ones and compares every offset, because a difference would make every event silently wrong.
"""

from __future__ import annotations

import ctypes
import struct


class Record(ctypes.Structure):
    """``struct record``: what stands before the bytes in the ring buffer."""

    _fields_ = (
        ("at_ns", ctypes.c_uint64),
        ("ssl", ctypes.c_uint64),
        ("born_ns", ctypes.c_uint64),
        ("cgroup_id", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("lost", ctypes.c_uint64),
        ("tgid", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("kind", ctypes.c_uint8),
        ("direction", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 6),
    )


RECORD_FORMAT = struct.Struct("<QQQQQQIIBB6x")
"""The same again, because ``struct`` reads it ten times faster than ctypes does."""

DATA, CLOSED, PROCESS_EXEC, PROCESS_EXIT, OPENED, HELLO = range(6)

PLAIN_POINTER = 1 << 63
"""A plaintext connection's pointer is its file descriptor with this bit, which no pointer has."""


class PeerAddress(ctypes.Structure):
    """``struct peer``"""

    _fields_ = (("address", ctypes.c_uint8 * 16), ("family", ctypes.c_uint32), ("port", ctypes.c_uint32))


class OpenedRecord(ctypes.Structure):
    """``struct opened``"""

    _fields_ = (("peer", PeerAddress), ("is_socket", ctypes.c_uint32), ("pad", ctypes.c_uint32))


class ConnKey(ctypes.Structure):
    """``struct conn_key``"""

    _fields_ = (("ssl", ctypes.c_uint64), ("tgid", ctypes.c_uint32), ("pad", ctypes.c_uint32))


class Conn(ctypes.Structure):
    """``struct conn``"""

    _fields_ = (
        ("born_ns", ctypes.c_uint64),
        ("position", ctypes.c_uint64 * 2),
        ("judgement", ctypes.c_uint32),
        ("link", ctypes.c_uint32),
        ("noted", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class SightingKey(ctypes.Structure):
    """``struct sighting_key``"""

    _fields_ = (
        ("ssl", ctypes.c_uint64),
        ("born_ns", ctypes.c_uint64),
        ("tgid", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class SightingValue(ctypes.Structure):
    """``struct sighting``"""

    _fields_ = (
        ("socket", ctypes.c_uint64),
        ("peer", PeerAddress),
        ("times", ctypes.c_uint32),
        ("contradicted", ctypes.c_uint32),
    )


class DescriptorValue(ctypes.Structure):
    """``struct descriptor``"""

    _fields_ = (("number", ctypes.c_uint32), ("how", ctypes.c_uint32))


GIVEN, MEMORY = range(2)
"""``enum descriptor_how``"""


class VerdictValue(ctypes.Structure):
    """``struct verdict``"""

    _fields_ = (("born_ns", ctypes.c_uint64), ("judgement", ctypes.c_uint32), ("pad", ctypes.c_uint32))


COUNTERS = (
    "records_dropped",
    "ring_lost_bytes",
    "uncopied_bytes",
    "unreadable_bytes",
    "ignored_bytes",
    "unselected_bytes",
    "threads_map_full",
    "connections_map_full",
    "count_unreadable",
    "duplicate_hits",
    "taken_over_calls",
    "returns_without_entry",
    "captured_bytes",
    "selftest_hits",
    "connection_unreadable",
    "late_closes",
    "descriptors_unreadable",
    "connections_left_behind",
    "packets_ambiguous",
    "hellos_dropped",
    "hellos_untold",
)
"""``enum counter``, in its order."""


def cookie(*, link: int, count: int, stack_offset: int, pointer_argument: int) -> int:
    """``COOKIE_*``: which link a hit came from, and how its site tells the count."""
    return link << 32 | (pointer_argument == 5) << 24 | (stack_offset & 0xFFFF) << 8 | count
