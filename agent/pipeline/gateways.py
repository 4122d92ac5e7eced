"""
A call to a gateway inside the cluster, and the gateway's own call to the model: one cost, with who asked first.

Both ends of the gateway are seen where it runs on the node of who calls it.  Its own call lies within the other one in time, so the two end together
and are held a moment for each other.  What proves that they belong together: the id of the answer, which gateways pass through, or the provider's own id
of the inner call, where the gateway passes its headers on; or else the same model and the same counts on both sides, the inner call being to a
provider that is none of the cluster.  In doubt they stay two calls.

An id is also proof where the outer answer states no counts, as a stream that was not asked for them: then it has the inner one's.

The outer call gets the inner one's cost unless it has one of its own; the inner one has none: ``Unpriced(reason="via_gateway")``.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from agent.model import Call, Cost, CostSource, Evidence, PricedCall, Unpriced

# A gateway passes an answer's end on within milliseconds; news of both comes with the next drains of the ring.
HOLD_NS = 2 * 10**9
# An answer's end is seen by the one that reads it: who hangs up after [DONE] is done before the framing is.
_SLACK_NS = 10**9
# A request's stamp is that of its system call's end.  A gateway on another processor may have asked on by then, where the caller was preempted.
START_SLACK_NS = 10**8
# Some seconds of a busy gateway.  Beyond, the oldest goes on without waiting longer: two calls then, as if the other end were on another node.
MAX_HELD = 512
VIA = "via_gateway"
_UNSTATED = (Evidence.ESTIMATED, Evidence.ABSENT)
# RFC 1035, 2.3.4; and in brackets.
_MAX_HOST = 255
_INSIDE = (".svc", ".local", ".internal", ".localdomain", ".lan", ".home.arpa")


def is_inside(host: str) -> bool:
    """Whether a host is one of the cluster itself, by its name: a single label, a private address, a private domain."""
    return len(host) <= _MAX_HOST and _is_inside(host)


# Asked twice a call, of the same few dozen hosts.
@lru_cache(maxsize=1024)
def _is_inside(host: str) -> bool:
    host = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(_INSIDE) or ".svc." in host)


def may_be_inside(host: str) -> bool:
    """The same where no host was told: HTTP/2 that was joined in the middle, HTTP/1.0."""
    return not host or is_inside(host)


Counts = tuple[int | None, int | None]
Mark = Counts | str
"""What both sides have, so that one finds the other."""


@dataclass(slots=True)
class _Held:
    priced: PricedCall
    until_ns: int
    answered: bool
    """Its gateway's call was found already: the next one is another's."""


class Gateways:
    """
    ``take_together`` the calls that end; ``release`` every second or so what nobody came for.

    ``within_another`` says whether a call to an AI API inside the cluster, of another process, is under way that began before this one did.
    """

    def __init__(self, within_another: Callable[[Call], bool]) -> None:
        self._within_another = within_another
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._by_mark: dict[Mark, list[int]] = {}
        """Their keys: what belongs together has used the same, or has the same id."""
        self._next = 0
        self.linked = 0
        """Pairs."""

    def take(self, priced: PricedCall, at_ns: int) -> Iterator[PricedCall]:
        """What is known now, in any order."""
        return self._take(_Held(priced, at_ns + HOLD_NS, answered=False))

    def take_together(self, ended: Iterable[PricedCall], at_ns: int) -> Iterator[PricedCall]:
        """
        Those of one drain of the ring, which keeps no order between connections: a quick gateway's call may come before the one that it is
        made for.  So that is taken first, if it has ended; if not, its request has been read by now.
        """
        for priced in sorted(ended, key=lambda one: not may_be_inside(one.call.host)):
            yield from self.take(priced, at_ns)

    def release(self, at_ns: int) -> Iterator[PricedCall]:
        while self._held:
            key, first = next(iter(self._held.items()))
            if first.until_ns > at_ns:
                return
            yield self._pop(key).priced

    def _take(self, held: _Held) -> Iterator[PricedCall]:
        outer: _Held | None = held
        while outer is not None:
            # One that was answered may itself be a gateway's, so it is looked at again.
            held = outer
            call = held.priced.call
            inner = None if held.answered else self._inner_of(call)
            if inner is not None:
                yield self._answer(held, inner.priced)
                call = held.priced.call
            outer = self._outer_of(call)
            if outer is not None:
                yield self._answer(outer, held.priced)
        if _provable(call) and (may_be_inside(call.host) or self._within_another(call)):
            self._held[self._next] = held
            for mark in _marks(call):
                self._by_mark.setdefault(mark, []).append(self._next)
            self._next += 1
            if len(self._held) > MAX_HELD:
                yield self._pop(next(iter(self._held))).priced
        else:
            yield held.priced

    def _answer(self, outer: _Held, inner: PricedCall) -> PricedCall:
        """The gateway's call, without its cost."""
        outer.priced = _with_cost_of(_with_counts_of(outer.priced, inner), inner)
        # A gateway without a price may have another one behind it, whose call has.
        outer.answered = isinstance(outer.priced.cost, Cost)
        self.linked += 1
        return replace(inner, cost=Unpriced(reason=VIA))

    def _inner_of(self, call: Call) -> _Held | None:
        return self._find(call, lambda other: belongs(call, other.priced.call))

    def _outer_of(self, call: Call) -> _Held | None:
        return self._find(call, lambda other: not other.answered and belongs(other.priced.call, call))

    def _find(self, call: Call, fits: Callable[[_Held], bool]) -> _Held | None:
        """By an id before counts: two that ask at once may use the same."""
        keys = (key for mark in _marks(call) for key in self._by_mark.get(mark, ()))
        found = next((key for key in keys if fits(self._held[key])), None)
        return None if found is None else self._pop(found)

    def _pop(self, key: int) -> _Held:
        held = self._held.pop(key)
        for mark in _marks(held.priced.call):
            siblings = self._by_mark[mark]
            siblings.remove(key)
            if not siblings:
                del self._by_mark[mark]
        return held


def _provable(call: Call) -> bool:
    """Whether anything could prove whose end it is: a tool's call or a count of tokens waits for nobody."""
    ids = call.reading.response_id or call.passed_on.request_id
    return bool(ids) or (call.reading.evidence is Evidence.REPORTED and any(_counts(call)))


def encloses(outer: Call, inner: Call) -> bool:
    """In time, and not the same process: who calls a model twice is no gateway."""
    # Of two calls inside the cluster nothing but their beginnings says which one is the gateway's.
    slack_ns = 0 if may_be_inside(inner.host) else START_SLACK_NS
    return (
        outer.conn.pid != inner.conn.pid
        and outer.started_at_ns <= inner.started_at_ns + slack_ns
        and inner.ended_at_ns <= outer.ended_at_ns + _SLACK_NS
    )


def belongs(outer: Call, inner: Call) -> bool:
    """Whether ``inner`` is what a gateway asked on behalf of ``outer``."""
    if not may_be_inside(outer.host) or not encloses(outer, inner):
        return False
    same = _counts(outer) == _counts(inner)
    passed_on = outer.passed_on.request_id
    if passed_on and inner.request_id and passed_on != inner.request_id:
        return False
    one, other = outer.reading, inner.reading
    if (passed_on and passed_on == inner.request_id) or (one.response_id and one.response_id == other.response_id):
        return same or one.evidence in _UNSTATED
    reported = one.evidence is Evidence.REPORTED and other.evidence is Evidence.REPORTED
    crosses = is_inside(outer.host) and not may_be_inside(inner.host)
    return same and reported and any(_counts(outer)) and crosses and bool(_models(outer) & _models(inner))


def _models(call: Call) -> set[str]:
    """Names without what gateways put before them: ``openai/gpt-4o``."""
    names = (call.reading.requested_model, call.reading.served_model, call.passed_on.model)
    return {name.rpartition("/")[2].lower() for name in names if name}


def _marks(call: Call) -> list[Mark]:
    """Ids first.  Whose counts are not the provider's is found by them alone."""
    ids = (call.reading.response_id, call.request_id, call.passed_on.request_id)
    return [*dict.fromkeys(filter(None, ids)), _counts(call)]


def _counts(call: Call) -> Counts:
    return call.reading.usage.input_tokens, call.reading.usage.output_tokens


def _with_counts_of(outer: PricedCall, inner: PricedCall) -> PricedCall:
    """Where the gateway did not say them, and an estimate would stand: the answer is the same."""
    reading, other = outer.call.reading, inner.call.reading
    if reading.evidence not in _UNSTATED:
        return outer
    known = replace(
        reading,
        usage=other.usage,
        evidence=other.evidence,
        estimate=other.estimate,
        remarks=(*reading.remarks, "counts_of_the_gateways_call"),
    )
    return replace(outer, call=replace(outer.call, reading=known))


def _with_cost_of(outer: PricedCall, inner: PricedCall) -> PricedCall:
    """What the gateway says that it cost counts before what we would say: the same order as everywhere."""
    if isinstance(outer.cost, Cost) and outer.cost.source is not CostSource.PRICE_BOOK:
        return outer
    if isinstance(inner.cost, Cost):
        return replace(outer, cost=replace(inner.cost, remarks=(*inner.cost.remarks, "of_the_gateways_call")))
    return outer
