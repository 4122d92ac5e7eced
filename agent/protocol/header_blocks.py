"""
Header blocks of one direction of an HTTP/2 connection (RFC 7541), also where its beginning or a part of it was not seen.

Dynamic indexes count from the newest entry.  So entries that were added while we read are right whatever came before; an index that reaches
behind them names an entry that we never saw, and its field is left out.  A field whose name is such an entry's is left out too; if it was
added to the table it is a hole there, which keeps the count right.  When entries leave the table needs not be known for that: an encoder never
names one that left.

The table holds no more than a bound of ours, whatever size its encoder announces; what is older is unknown as well.  So what SETTINGS allow
is between the peers: each change of size that concerns us stands in the blocks themselves (4.2).
"""

from __future__ import annotations

import re

from hpack import Decoder, HPACKError
from hpack.exceptions import InvalidTableIndexError
from hpack.table import HeaderTable

from agent.model import ProtocolError

# Browsers announce 64 KiB; libraries and proxies keep to the 4 KiB of the standard.
MAX_TABLE_BYTES = 64 * 1024
# Of all fields of a block, names, values and 32 bytes each.  The same bound as for HTTP/1's heads.
MAX_LIST_BYTES = 64 * 1024
# 32 bytes is the least that an entry counts: what the largest table can have, as long as it has ever been seen to be.
_LAST_INDEX = HeaderTable.STATIC_TABLE_LENGTH + 1024 * 1024 // 32
_UNKNOWN = (b"\0unknown", b"")
# An integer of so many bytes would be added up for minutes.  In text, nobody writes 4096 bytes of no ASCII.
_LONG_INTEGER = re.compile(rb"[\x80-\xff]{4096}")
_MAX_SIZE = 2**32 - 1

Fields = list[tuple[bytes, bytes]]


class HeaderBlocks:
    __slots__ = ("_decoder", "_table")

    def __init__(self, *, whole: bool) -> None:
        """``whole``: read from the connection's first block on."""
        self._decoder = Decoder(MAX_LIST_BYTES)
        self._decoder.max_allowed_table_size = _MAX_SIZE
        self._table = _Table()
        self._decoder.header_table = self._table
        if not whole:
            self.forget()

    @property
    def buffered_bytes(self) -> int:
        return self._table.size_bytes

    def decode(self, block: bytes) -> tuple[Fields, bool]:
        """The fields that are known, and whether any is not.  Raises ProtocolError."""
        if _LONG_INTEGER.search(block):
            raise ProtocolError(f"a header block of {len(block)} bytes with an endless integer")
        try:
            decoded = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise ProtocolError(f"a header block of {len(block)} bytes: {type(error).__name__}") from None
        fields: Fields = []
        missing = False
        for name, value in decoded:
            if name == _UNKNOWN[0]:
                missing = True
            else:
                fields.append((bytes(name), bytes(value)))
        return fields, missing

    def forget(self) -> None:
        """A block was not seen: whatever it added, no entry's place is known any more."""
        self._table.forget()


class _Table(HeaderTable):
    def __init__(self) -> None:
        super().__init__()
        self._whole = True

    @property
    def size_bytes(self) -> int:
        return self._current_size

    def forget(self) -> None:
        self._whole = False
        self.dynamic_entries.clear()
        self._current_size = 0
        self._maxsize = MAX_TABLE_BYTES

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        if self._whole or index <= self.STATIC_TABLE_LENGTH + len(self.dynamic_entries):
            return super().get_by_index(index)
        if index > _LAST_INDEX:
            raise InvalidTableIndexError(f"index {index}")
        return _UNKNOWN

    def add(self, name: bytes, value: bytes) -> None:
        if name == _UNKNOWN[0]:
            super().add(*_UNKNOWN)
        else:
            super().add(bytes(name), bytes(value))

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        if newmax > MAX_TABLE_BYTES:
            self._whole = False
        if self._whole:
            HeaderTable.maxsize.fset(self, newmax)  # type: ignore[attr-defined]
        else:
            self._maxsize = MAX_TABLE_BYTES
