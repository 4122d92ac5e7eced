"""
Chunks of one direction in order, with what is missing said.

The kernel numbers every byte of a direction before it tries to copy it, and a connection object is used by one thread at a time, so
its records come in order (one ring buffer, no queue per CPU).  A jump of the position is therefore loss, known to the byte; a step
back is a repetition.  Only what came before the first chunk is of unknown size: perhaps we forgot this connection, or joined it late.
"""

from __future__ import annotations

from agent.model import Chunk, Direction, Gap, Segment


class Reassembler:
    """One direction of one connection."""

    __slots__ = ("_direction", "lost_bytes", "next_position")

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self.next_position = 0
        self.lost_bytes = 0

    def receive(self, chunk: Chunk) -> list[Segment | Gap]:
        """What the chunk adds: at most a gap, its bytes, and another gap.  Bytes seen before are not given twice."""
        out: list[Segment | Gap] = []
        missing = chunk.position - self.next_position
        data = chunk.data
        if missing > 0:
            out.append(self._gap(missing if self.next_position else 0, chunk.at_ns))
        elif missing < 0:
            data = data[-missing:]
        end = chunk.position + len(chunk.data)
        if data:
            out.append(Segment(direction=self._direction, data=data, at_ns=chunk.at_ns, last_at_ns=chunk.last_at_ns))
        beyond = end + chunk.lost - max(end, self.next_position)
        self.next_position = max(end, self.next_position)
        if beyond > 0:
            out.append(self._gap(beyond, chunk.last_at_ns))
            self.next_position += beyond
        return out

    def _gap(self, size: int, at_ns: int) -> Gap:
        self.lost_bytes += size
        return Gap(direction=self._direction, size=size, at_ns=at_ns)
