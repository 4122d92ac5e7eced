"""
gRPC's messages in a body: a flag, a length of 4 bytes, the message (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

Bytes in, messages out.  Lengths alone say where a message begins, so behind a gap nothing can be read any more.  A message that is larger
than anything we read (a picture in it) is left out as it comes.
"""

from __future__ import annotations

from agent.model import ProtocolError, StreamItem
from agent.protocol.content import Identity, decoder_for

# gRPC's own default for what a client takes is 4 MiB.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_PREFIX_BYTES = 5
_PLAIN, _COMPRESSED = 0, 1


class GrpcParser:
    """One direction of one call.  ``encoding``: what its ``grpc-encoding`` says, for messages with the flag."""

    __slots__ = ("_carry", "_deaf", "_encoding", "_skip", "damaged")

    def __init__(self, encoding: str = "") -> None:
        self._encoding = encoding
        self._carry = bytearray()
        self._skip = 0
        """Bytes of a message that is left out."""
        self._deaf = False
        self.damaged = False
        """Something was not read: bytes were lost, a message was too large or not as its flag says."""

    @property
    def buffered_bytes(self) -> int:
        return len(self._carry)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The messages that ``data`` completes."""
        if self._deaf:
            return []
        if self._skip:
            left = data[self._skip :]
            self._skip -= len(data) - len(left)
            data = left
        self._carry += data
        messages: list[StreamItem] = []
        at = 0
        while len(self._carry) - at >= _PREFIX_BYTES:
            flag, size = self._carry[at], int.from_bytes(self._carry[at + 1 : at + _PREFIX_BYTES], "big")
            if flag not in (_PLAIN, _COMPRESSED):
                raise ProtocolError("no gRPC message where one has to begin")
            end = at + _PREFIX_BYTES + size
            if size > MAX_MESSAGE_BYTES:
                self.damaged = True
                self._skip = max(0, end - len(self._carry))
                at = min(end, len(self._carry))
                continue
            if end > len(self._carry):
                break
            message = self._message(flag, bytes(self._carry[at + _PREFIX_BYTES : end]))
            if message is not None:
                messages.append(StreamItem("", message))
            at = end
        del self._carry[:at]
        return messages

    def gap(self) -> None:
        """Bytes are missing here."""
        self._deaf = self.damaged = True
        self._carry.clear()
        self._skip = 0

    def close(self) -> list[StreamItem]:
        """The stream ended: a message under way has no end, so it is none."""
        self.damaged = self.damaged or bool(self._carry or self._skip)
        self._carry.clear()
        return []

    def _message(self, flag: int, data: bytes) -> bytes | None:
        if flag == _PLAIN:
            return data
        decoder = decoder_for(self._encoding, data[:12])
        try:
            # What is compressed in a way that we don't know (snappy; a name that was said before we came) is no message.
            decoded = None if isinstance(decoder, Identity) else decoder.decode(data)
        except ProtocolError:
            decoded = None
        if decoded is None or len(decoded) > MAX_MESSAGE_BYTES:
            self.damaged = True
            return None
        return decoded


def messages(body: bytes, encoding: str = "") -> list[bytes]:
    """Those of a collected body."""
    try:
        return [item.data for item in GrpcParser(encoding).receive(body)]
    except ProtocolError:
        return []
