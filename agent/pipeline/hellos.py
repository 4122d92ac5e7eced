"""
Of how many TLS connections to model APIs the calls were read: the check that does not depend on knowing the library.

Packets tell of every connection that opens TLS, with the name of its server and its socket.  Probes tell of connections that were judged an API's; where
the socket of one is known, both are the same connection or they are not.  Where it is not known, any connection of its cgroup may be that one, so until then nothing
of that group is called unread.  Names of other servers are counted as such and go no further.

A hello may come in several packets.  It is judged when it is whole; with a packet missing, or when nothing more of it came, by what there is.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.dialects.providers import UNKNOWN
from agent.model import Hello, Joined, Known, ProtocolError
from agent.protocol.client_hello import ClientHello, ClientHelloParser

# The first request follows within moments, unless a pool opens connections in advance; those are told as read late.
SETTLE_NS = 10 * 10**9
# Some hours of a busy node.  Who is forgotten can't be told as read late.
MAX_KNOWN = 65_536
# Groups with a connection whose socket is not known, or with too many packets; a node has some thousand.
MAX_GROUPS = 16_384
# Hellos whose next packet has not come: it follows within microseconds.  Each holds 16 KB at most.
MAX_UNFINISHED = 256


class Fate(enum.StrEnum):
    """What a packet that opens TLS said."""

    KNOWN = "known"
    """The name of a model API."""
    OTHER = "other"
    HIDDEN = "hidden"
    """No model API's, but with an encrypted hello inside (ECH), which may name another.  Some clients send one that is only noise."""
    NAMELESS = "nameless"
    """None: a client that asked for an address."""
    CUT = "cut"
    """None in what was told of it."""
    MALFORMED = "malformed"
    """It only looked like one."""


@dataclass(slots=True)
class _Told:
    cgroup_id: int
    provider: str
    server_name: str
    is_read: bool = False
    joined: Joined | None = None
    """As it was told; None: it has not been yet."""


@dataclass(slots=True)
class _Unfinished:
    first: Hello
    next_position: int
    parser: ClientHelloParser = field(default_factory=ClientHelloParser)


class Hellos:
    """``provider_at`` names the provider of a host.  Time comes in with what happens."""

    def __init__(self, provider_at: Callable[[str], str]) -> None:
        self._provider_at = provider_at
        self._unfinished: OrderedDict[int, _Unfinished] = OrderedDict()
        """By the socket's cookie, as all here."""
        self._known: OrderedDict[int, _Told] = OrderedDict()
        self._waiting: deque[tuple[int, int]] = deque()
        """When it was told, and its cookie."""
        self._unjoined_ns: OrderedDict[int, int] = OrderedDict()
        """cgroup → when a connection was last judged there whose socket is not known."""
        self._untold: OrderedDict[int, int] = OrderedDict()
        """cgroup → how many packets were too many, as it last said."""
        self.fates = dict.fromkeys(Fate, 0)
        """All from the start: scrapes read it."""

    def receive(self, hello: Hello) -> Iterator[Known]:
        """Yields whose place is needed, and how many are untold."""
        yield from self._count_untold(hello)
        if hello.cookie in self._known:
            return
        if not hello.position:
            self._unfinished[hello.cookie] = _Unfinished(hello, 0)
        one = self._unfinished.get(hello.cookie)
        if one is None:
            return
        if one.next_position != hello.position:
            yield from self._finish(hello.cookie)
            return
        one.next_position += len(hello.data)
        try:
            told = one.parser.receive(hello.data)
        except ProtocolError:
            del self._unfinished[hello.cookie]
            self.fates[Fate.MALFORMED] += 1
            return
        if told:
            del self._unfinished[hello.cookie]
            yield from self._keep(one.first, told[0])
        elif hello.lost:
            yield from self._finish(hello.cookie)
        elif len(self._unfinished) > MAX_UNFINISHED:
            yield from self._finish(next(iter(self._unfinished)))

    def judged(self, cookie: int, cgroup_id: int, at_ns: int) -> Iterator[Known]:
        """A connection was judged an API's; ``cookie`` 0: its socket is not known."""
        if not cookie:
            self._unjoined_ns[cgroup_id] = at_ns
            self._unjoined_ns.move_to_end(cgroup_id)
            if len(self._unjoined_ns) > MAX_GROUPS:
                self._unjoined_ns.popitem(last=False)
            return
        if cookie in self._unfinished:
            yield from self._finish(cookie)
        told = self._known.get(cookie)
        if told is None:
            return
        told.is_read = True
        if told.joined in (Joined.NOT_READ, Joined.UNKNOWN):
            told.joined = Joined.READ_LATE
            yield Known(told.cgroup_id, told.provider, told.joined)

    def tick(self, at_ns: int) -> Iterator[Known]:
        """Those that should have been read by now: how it came out."""
        while self._unfinished:
            cookie, unfinished = next(iter(self._unfinished.items()))
            if at_ns - unfinished.first.at_ns < SETTLE_NS:
                break
            yield from self._finish(cookie)
        while self._waiting and at_ns - self._waiting[0][0] >= SETTLE_NS:
            told_ns, cookie = self._waiting.popleft()
            told = self._known.get(cookie)
            if told is None:
                continue
            if told.is_read:
                told.joined = Joined.READ
            else:
                doubtful = self._unjoined_ns.get(told.cgroup_id, 0) >= told_ns
                told.joined = Joined.UNKNOWN if doubtful else Joined.NOT_READ
            yield Known(told.cgroup_id, told.provider, told.joined)

    def server_name(self, cookie: int) -> str:
        """Of a known model API; "" for every other connection."""
        told = self._known.get(cookie)
        return told.server_name if told is not None else ""

    def _count_untold(self, hello: Hello) -> Iterator[Known]:
        before = self._untold.get(hello.cgroup_id, 0)
        if hello.untold < before // 2:
            before = 0  # the kernel side had forgotten the group; a little less is only another order
        if hello.untold > before:
            self._untold[hello.cgroup_id] = hello.untold
            if len(self._untold) > MAX_GROUPS:
                self._untold.popitem(last=False)
            yield Known(hello.cgroup_id, UNKNOWN, Joined.UNTOLD, hello.untold - before)

    def _finish(self, cookie: int) -> Iterator[Known]:
        """Of a hello nothing more comes."""
        one = self._unfinished.pop(cookie)
        try:
            told = one.parser.close()
        except ProtocolError:
            self.fates[Fate.MALFORMED] += 1
            return
        yield from self._keep(one.first, told[0] if told else None)

    def _keep(self, first: Hello, said: ClientHello | None) -> Iterator[Known]:
        provider = self._provider_at(said.server_name) if said is not None and said.server_name else UNKNOWN
        self.fates[_fate(said, provider)] += 1
        if said is None or provider == UNKNOWN:
            return
        self._known[first.cookie] = _Told(cgroup_id=first.cgroup_id, provider=provider, server_name=said.server_name)
        self._waiting.append((first.at_ns, first.cookie))
        if len(self._known) > MAX_KNOWN:
            _, oldest = self._known.popitem(last=False)
            if oldest.joined is None:
                joined = Joined.READ if oldest.is_read else Joined.UNKNOWN
                yield Known(oldest.cgroup_id, oldest.provider, joined)


def _fate(said: ClientHello | None, provider: str) -> Fate:
    if provider != UNKNOWN:
        return Fate.KNOWN
    if said is None or not (said.server_name or said.whole):
        return Fate.CUT
    if said.encrypted:
        return Fate.HIDDEN
    return Fate.OTHER if said.server_name else Fate.NAMELESS
