"""
Tapes: what capture saw, for replay on a laptop.  A MessagePack stream (https://msgpack.org): one map, then one array a record.

Without content no body byte and no secret is written: heads of HTTP/1 keep the names of the allow-list, everything else is a length, so
that positions, times and framing stay true.  HTTP/2 is lengths alone: its heads can't be cut without changing what later ones mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgpack

from agent.model import Chunk, Closed, ConnId, Direction, PodtabError, Process
from agent.protocol.headers import KEPT

FORMAT, VERSION = "podtab tape", 1
_MAGIC = b"\xa6format" + msgpack.packb(FORMAT)
_CHUNK, _CLOSED, _PROCESS = range(3)
# A chunk is at most what the ring reader joins; a foreign file must not make us allocate more.
_MAX_RECORD_BYTES = 4 * 1024 * 1024

Record = Chunk | Closed | Process


class TapeError(PodtabError):
    """The file is no tape, or not a whole one."""


class TapeWriter:
    """Writes a new tape; ``content`` decides whether bodies go on it."""

    def __init__(self, path: Path, *, content: bool, max_bytes: int) -> None:
        self._content = content
        self._max_bytes = max_bytes
        self.size_bytes = 0
        try:
            # Exclusive and private: a tape can hold what people said to a model.
            self._file: BinaryIO = open(path, "xb", opener=_private)  # noqa: SIM115 - the writer is the context manager
        except FileExistsError:
            raise TapeError(f"{path}: is there already, and a tape is never written over; name another file") from None
        except OSError as error:
            raise TapeError(f"{path}: can't be made: {error.strerror}") from None
        self._write({"format": FORMAT, "version": VERSION, "content": content})

    def write(self, record: Record) -> bool:
        """False when the tape is full."""
        if isinstance(record, Chunk):
            data, lost = record.data, record.lost
            if not self._content:
                data = masked_head(record.data)
                lost += len(record.data) - len(data)
            self._write(
                [
                    _CHUNK,
                    *_conn(record.conn),
                    record.direction.value,
                    record.position,
                    data,
                    lost,
                    record.at_ns,
                    record.last_at_ns,
                    record.cgroup_id,
                ]
            )
        elif isinstance(record, Closed):
            self._write([_CLOSED, *_conn(record.conn), record.at_ns])
        else:
            self._write([_PROCESS, record.pid, record.start_ticks, record.name, record.cgroup_id, record.cgroup_path])
        return self.size_bytes < self._max_bytes

    def _write(self, value: object) -> None:
        data = msgpack.packb(value)
        self.size_bytes += len(data)
        self._file.write(data)

    def __enter__(self) -> TapeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _conn(conn: ConnId) -> tuple[int, int, int]:
    return (conn.pid, conn.pointer, conn.born_ns)


def is_tape(path: Path) -> bool:
    """By its first bytes; False for what can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(64)[1:].startswith(_MAGIC)
    except OSError:
        return False


def read_tape(path: Path) -> Iterator[Record]:
    """Everything on the tape; what stands before a cut is given before TapeError says so."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise TapeError(f"{path}: can't be read: {error.strerror}") from None
    with file:
        unpacker = msgpack.Unpacker(
            file, max_buffer_size=2 * _MAX_RECORD_BYTES, max_bin_len=_MAX_RECORD_BYTES, raw=False
        )
        read = 0
        try:
            head = next(unpacker, None)
            if not isinstance(head, dict) or head.get("format") != FORMAT:
                raise TapeError(f"{path}: not a tape; make one with: podtab record {path}")
            if head.get("version") != VERSION:
                raise TapeError(f"{path}: tape version {head.get('version')}, this podtab reads {VERSION}")
            # Behind the last whole record: the unpacker's own place is behind what it took of a record that ends too soon.
            at = unpacker.tell()
            for value in unpacker:
                yield _record(value)
                read, at = read + 1, unpacker.tell()
            complete = at == path.stat().st_size
        except (msgpack.UnpackException, ValueError, TypeError, IndexError, UnicodeDecodeError):
            raise TapeError(f"{path}: damaged after record {read}; what stands before it was read") from None
    if not complete:
        raise TapeError(f"{path}: ends inside record {read + 1}; what stands before it was read")


def _record(value: list[object]) -> Record:
    kind, *fields = value
    if kind == _PROCESS:
        pid, start_ticks, name, cgroup_id, cgroup_path = fields
        return Process(
            pid=_int(pid),
            start_ticks=_int(start_ticks),
            name=str(name),
            cgroup_id=_int(cgroup_id),
            cgroup_path=str(cgroup_path),
        )
    conn = ConnId(pid=_int(fields[0]), pointer=_int(fields[1]), born_ns=_int(fields[2]))
    if kind == _CLOSED:
        return Closed(conn=conn, at_ns=_int(fields[3]))
    if kind != _CHUNK:
        raise ValueError("unknown record")
    direction, position, data, lost, at_ns, last_at_ns, cgroup_id = fields[3:]
    if not isinstance(data, bytes):
        raise TypeError("data is bytes")
    return Chunk(
        conn=conn,
        direction=Direction(_int(direction)),
        position=_int(position),
        data=data,
        lost=_int(lost),
        at_ns=_int(at_ns),
        last_at_ns=_int(last_at_ns),
        cgroup_id=_int(cgroup_id),
    )


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number")
    return value


def masked_head(data: bytes) -> bytes:
    """
    The HTTP/1 head at the start of ``data``, as long as it was, with allowed headers only and without its query; b"" where none is whole.

    What was taken out is made up for by spaces behind the last header's value, which mean nothing (RFC 9110, 5.5).
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return b""
    start, *lines = data[:end].split(b"\r\n")
    words = start.split(b" ")
    if start.startswith(b"HTTP/1."):
        words = words[:2]  # a reason phrase is free text
    elif len(words) == 3 and words[2].startswith(b"HTTP/1."):
        words[1] = words[1].partition(b"?")[0]
    else:
        return b""
    kept = [line for line in lines if line.partition(b":")[0].decode("latin-1").lower() in KEPT]
    if not kept:
        return b""
    head = b"\r\n".join([b" ".join(words), *kept])
    return head + b" " * (end - len(head)) + b"\r\n\r\n"
