"""
Of how many TLS connections to model APIs the calls were read: the check that does not depend on knowing the library.

Packets tell of every connection that opens TLS, with the name of its server and its socket.  Probes tell of connections that were judged an API's; where
the socket of one is known, both are the same connection or they are not.  Where it is not known, any connection of its cgroup may be that one, so until then nothing
of that group is called unread.  Names of other servers are counted as such and go no further.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.dialects.providers import UNKNOWN
from agent.model import Hello, Joined, Known, ProtocolError
from agent.protocol.client_hello import ClientHello, ClientHelloParser

# The first request follows within moments, unless a pool opens connections in advance; those are told as read late.
SETTLE_NS = 10 * 10**9
# Some hours of a busy node.  Who is forgotten can't be told as read late.
MAX_KNOWN = 65_536
# Groups with a connection whose socket is not known; a node has some thousand.
MAX_GROUPS = 16_384


class Fate(enum.StrEnum):
    """What a packet that opens TLS said."""

    KNOWN = "known"
    """The name of a model API."""
    OTHER = "other"
    NAMELESS = "nameless"
    """None: a client that asked for an address."""
    CUT = "cut"
    """None in what was read of it."""
    MALFORMED = "malformed"
    """It only looked like one."""


@dataclass(slots=True)
class _Told:
    cgroup_id: int
    provider: str
    server_name: str
    joined: Joined | None = None
    """None: it may still be read."""


class Hellos:
    """``provider_at`` names the provider of a host.  Time comes in with what happens."""

    def __init__(self, provider_at: Callable[[str], str]) -> None:
        self._provider_at = provider_at
        self._known: OrderedDict[int, _Told] = OrderedDict()
        """By the socket's cookie."""
        self._waiting: deque[tuple[int, int]] = deque()
        """When it was told, and its cookie."""
        self._unjoined_ns: OrderedDict[int, int] = OrderedDict()
        """cgroup → when a connection was last judged there whose socket is not known."""
        self.fates = dict.fromkeys(Fate, 0)
        """All from the start: scrapes read it."""

    def receive(self, hello: Hello) -> Iterator[Known]:
        """Yields those whose place is needed."""
        if hello.cookie in self._known:
            return
        fate, told = self._fate(hello)
        self.fates[fate] += 1
        if told is None:
            return
        self._known[hello.cookie] = told
        self._waiting.append((hello.at_ns, hello.cookie))
        if len(self._known) > MAX_KNOWN:
            _, oldest = self._known.popitem(last=False)
            if oldest.joined is None:
                yield Known(oldest.cgroup_id, oldest.provider, Joined.UNKNOWN)

    def judged(self, cookie: int, cgroup_id: int, at_ns: int) -> Iterator[Known]:
        """A connection was judged an API's; ``cookie`` 0: its socket is not known."""
        if not cookie:
            self._unjoined_ns[cgroup_id] = at_ns
            self._unjoined_ns.move_to_end(cgroup_id)
            if len(self._unjoined_ns) > MAX_GROUPS:
                self._unjoined_ns.popitem(last=False)
            return
        told = self._known.get(cookie)
        if told is not None and told.joined in (None, Joined.NOT_READ, Joined.UNKNOWN):
            told.joined = Joined.READ if told.joined is None else Joined.READ_LATE
            yield Known(told.cgroup_id, told.provider, told.joined)

    def tick(self, at_ns: int) -> Iterator[Known]:
        """Those that should have been read by now."""
        while self._waiting and at_ns - self._waiting[0][0] >= SETTLE_NS:
            told_ns, cookie = self._waiting.popleft()
            told = self._known.get(cookie)
            if told is None or told.joined is not None:
                continue
            doubtful = self._unjoined_ns.get(told.cgroup_id, 0) >= told_ns
            told.joined = Joined.UNKNOWN if doubtful else Joined.NOT_READ
            yield Known(told.cgroup_id, told.provider, told.joined)

    def server_name(self, cookie: int) -> str:
        """Of a known model API; "" for every other connection."""
        told = self._known.get(cookie)
        return told.server_name if told is not None else ""

    def _fate(self, hello: Hello) -> tuple[Fate, _Told | None]:
        try:
            said = _said(hello)
        except ProtocolError:
            return Fate.MALFORMED, None
        if said is None or not said.server_name:
            return Fate.NAMELESS if said is not None and said.whole else Fate.CUT, None
        provider = self._provider_at(said.server_name)
        if provider == UNKNOWN:
            return Fate.OTHER, None
        return Fate.KNOWN, _Told(cgroup_id=hello.cgroup_id, provider=provider, server_name=said.server_name)


def _said(hello: Hello) -> ClientHello | None:
    parser = ClientHelloParser()
    told = parser.receive(hello.data) or parser.close()
    return told[0] if told else None
