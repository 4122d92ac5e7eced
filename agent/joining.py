"""
Packets and probes brought together: whose TLS connections to model APIs were read, and the name that each of those was opened with.

A packet names the group of its socket and no process.  So where only some processes of a group are selected (by their names), nothing is told of the group: it
would be told of the others as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agent.attribution.attributor import Attributor
from agent.capture.records import PLAIN_POINTER
from agent.capture.ring import Happening, ProcessEnded, ProcessStarted
from agent.capture.targets import Targets
from agent.model import Chunk, Closed, ConnId, Hello, Judgement, Known, Opened, PricedCall, Verdict
from agent.pipeline.hellos import Hellos
from agent.pipeline.pipeline import Output
from agent.sinks.connections import Connections


class Joining:
    """For the core's thread; ``told`` and the fates of ``hellos`` are read by others."""

    def __init__(
        self,
        hellos: Hellos,
        told: Connections,
        cookie_of: Callable[[ConnId], int],
        targets: Targets,
        attributor: Attributor,
    ) -> None:
        self.hellos = hellos
        self.told = told
        self._cookie_of = cookie_of
        self._targets = targets
        self._attributor = attributor

    def admitted(
        self, happened: Iterable[Happening]
    ) -> Iterator[Opened | Chunk | Closed | ProcessStarted | ProcessEnded]:
        """All but what packets tell, which goes no further than here."""
        for one in happened:
            if isinstance(one, Hello):
                self.receive(one)
            else:
                yield one

    def receive(self, hello: Hello) -> None:
        self._tell(self.hellos.receive(hello))
        if self.hellos.server_name(hello.cookie):
            self._attributor.meet_group(hello.cgroup_id)

    def join(self, output: Output, chunk: Chunk | Opened | Closed) -> None:
        """What came of a chunk.  When the connection is judged its socket is asked for; with its first call it may be better known."""
        judged = isinstance(output, Verdict) and output.judgement is Judgement.WATCH
        if not (judged or isinstance(output, PricedCall)):
            return
        if not isinstance(chunk, Chunk) or chunk.conn.pointer & PLAIN_POINTER:
            return
        cookie = self._cookie_of(chunk.conn)
        if judged or cookie:
            self._tell(self.hellos.judged(cookie, chunk.cgroup_id, chunk.last_at_ns))

    def tick(self, at_ns: int) -> None:
        self._tell(self.hellos.tick(at_ns))

    def server_name_of(self, conn: ConnId) -> str:
        """That its TLS was opened with; "" where its socket is not known, and of hosts that are no model API's."""
        cookie = self._cookie_of(conn)
        return self.hellos.server_name(cookie) if cookie else ""

    def _tell(self, connections: Iterable[Known]) -> None:
        for one in connections:
            # The thread that follows processes writes it meanwhile.
            if one.cgroup_id not in list(self._targets.unselected_pids.values()):
                workload = self._attributor.workload_of_group(one.cgroup_id)
                self.told.accept(workload, one.provider, one.joined, one.number)
