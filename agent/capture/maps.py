"""The kernel side's maps: single entries and keys, through BCC's C library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from agent.capture.peers import Descriptor, Sighting, told_peer
from agent.capture.records import PLAIN_POINTER, Conn, ConnKey, DescriptorValue, SightingKey, SightingValue
from agent.model import ConnId


class Maps:
    """``fd_of`` names a map's descriptor; ``max_keys`` bounds a walk over a map that others write to."""

    def __init__(self, library: ctypes.CDLL, fd_of: Callable[[str], int], *, max_keys: int) -> None:
        self._library = library
        self._fd_of = fd_of
        self._max_keys = max_keys

    def update(self, table: str, key: ctypes._CData, value: ctypes._CData) -> bool:
        return int(self._library.bpf_update_elem(self._fd_of(table), ctypes.byref(key), ctypes.byref(value), 0)) == 0

    def delete(self, table: str, key: ctypes._CData) -> bool:
        return int(self._library.bpf_delete_elem(self._fd_of(table), ctypes.byref(key))) == 0

    def lookup(self, table: str, key: ctypes._CData, value: ctypes._CData) -> bool:
        return int(self._library.bpf_lookup_elem(self._fd_of(table), ctypes.byref(key), ctypes.byref(value))) == 0

    def keys(self, table: str) -> list[ConnKey]:
        """A snapshot of a map's keys; of maps with other keys only the number counts."""
        keys: list[ConnKey] = []
        fd, key, following = self._fd_of(table), ConnKey(), ConnKey()
        result = self._library.bpf_get_first_key(fd, ctypes.byref(key), ctypes.sizeof(key))
        while result == 0 and len(keys) <= self._max_keys:
            keys.append(ConnKey.from_buffer_copy(key))
            result = self._library.bpf_get_next_key(fd, ctypes.byref(key), ctypes.byref(following))
            key = ConnKey.from_buffer_copy(following)
        return keys

    def holds(self, key: ConnKey, born_ns: int = 0) -> bool:
        """Whether a connection is there, and is that one."""
        found = Conn()
        return self.lookup("connections", key, found) and born_ns in (0, found.born_ns)

    def link_of(self, key: ConnKey) -> int:
        """Whose probes saw a connection first; 0 where it has ended."""
        found = Conn()
        return int(found.link) if self.lookup("connections", key, found) else 0

    def descriptor_of(self, conn: ConnId) -> Descriptor | None:
        """None where the connection has ended, where nobody knows, or where the number belongs to a later one."""
        key = ConnKey(ssl=conn.pointer, tgid=conn.pid)
        told, holder = DescriptorValue(), ctypes.c_uint64()
        if not self.lookup("descriptors", key, told) or not self.lookup("holders", _place(key, told), holder):
            return None
        if holder.value != conn.pointer or not self.holds(key, conn.born_ns):
            return None
        return Descriptor(told.number, told.how)

    def sighting_of(self, conn: ConnId) -> Sighting | None:
        """None where no packet of the connection was recognized, or it is long ago."""
        key = SightingKey(ssl=conn.pointer, born_ns=conn.born_ns, tgid=conn.pid)
        seen = SightingValue()
        if not self.lookup("sightings", key, seen):
            return None
        peer = None if seen.contradicted else told_peer(seen.peer)
        return Sighting(socket=seen.socket, peer=peer, times=seen.times)

    def forget(self, key: ConnKey) -> None:
        """All that is kept of a connection."""
        told, holder = DescriptorValue(), ctypes.c_uint64()
        if self.lookup("descriptors", key, told):
            if self.lookup("holders", _place(key, told), holder) and holder.value == key.ssl:
                self.delete("holders", _place(key, told))
            self.delete("descriptors", key)
        self.delete("connections", key)
        self.delete("verdicts", key)


def _place(key: ConnKey, told: DescriptorValue) -> ConnKey:
    """The key in ``holders``."""
    return ConnKey(ssl=PLAIN_POINTER | told.number, tgid=key.tgid)
