"""Of how many connections to model APIs the calls were read: what is certain, what is not, and who is not spoken of."""

from __future__ import annotations

import pytest

from agent.dialects.providers import Providers
from agent.model import Hello, Joined, Known
from agent.pipeline import hellos
from agent.pipeline.hellos import SETTLE_NS, Fate, Hellos
from tests.protocol.test_client_hello import RECORDED, extension, message, named, record

POD, OTHER_POD = 7, 8
OPENAI = record(message(named(b"api.openai.com")))
ENCRYPTED = extension(0xFE0D, b"\0" * 9)


def made() -> Hellos:
    return Hellos(Providers({"llm.corp": "openai"}).provider_at)


def hello(
    cookie: int, data: bytes = OPENAI, *, cgroup_id: int = POD, at_ns: int = 1, position: int = 0, untold: int = 0
) -> Hello:
    return Hello(cookie=cookie, cgroup_id=cgroup_id, position=position, data=data, lost=0, untold=untold, at_ns=at_ns)


def outcomes(one: Hellos, at_ns: int = SETTLE_NS + 1) -> list[Joined]:
    return [known.joined for known in one.tick(at_ns)]


def test_a_connection_that_a_probe_read_is_read() -> None:
    """Told when its time is over, and once, also where the packet is sent again or the connection is judged again."""
    one = made()
    assert list(one.receive(hello(1))) == []
    assert list(one.judged(1, POD, 2)) == []
    assert list(one.receive(hello(1))) == []
    assert list(one.tick(SETTLE_NS + 1)) == [Known(POD, "openai", Joined.READ)]
    assert list(one.judged(1, POD, 3)) == []
    assert outcomes(one) == []
    assert one.fates[Fate.KNOWN] == 1


def test_a_connection_that_no_probe_read_is_told_when_its_time_is_over() -> None:
    """Others of the same pod that were read, and sockets that nobody told of, change nothing."""
    one = made()
    for cookie in (1, 2):
        list(one.receive(hello(cookie)))
    list(one.judged(1, POD, 2))
    list(one.judged(99, POD, 2))
    assert outcomes(one, SETTLE_NS) == [], "its time is not over"
    assert list(one.tick(SETTLE_NS + 1)) == [Known(POD, "openai", one) for one in (Joined.READ, Joined.NOT_READ)]
    assert outcomes(one) == []


def test_what_may_have_been_read_is_unknown() -> None:
    """Only in the group that had a connection without a known socket, and only if that was judged after the packet left."""
    one = made()
    list(one.judged(0, POD, 4))
    list(one.receive(hello(1, at_ns=5)))
    list(one.receive(hello(2, at_ns=6, cgroup_id=OTHER_POD)))
    assert outcomes(one, SETTLE_NS + 6) == [Joined.NOT_READ] * 2
    list(one.receive(hello(3, at_ns=7)))
    list(one.receive(hello(4, at_ns=7, cgroup_id=OTHER_POD)))
    list(one.judged(0, POD, 8))
    assert outcomes(one, SETTLE_NS + 9) == [Joined.UNKNOWN, Joined.NOT_READ]


def test_one_that_is_read_later_takes_its_word_back_once() -> None:
    """A pool opens connections before they are needed."""
    one = made()
    list(one.receive(hello(1)))
    assert outcomes(one) == [Joined.NOT_READ]
    assert [known.joined for known in one.judged(1, POD, SETTLE_NS * 9)] == [Joined.READ_LATE]
    assert list(one.judged(1, POD, SETTLE_NS * 10)) == []


@pytest.mark.parametrize(
    ("data", "fate"),
    [
        (OPENAI, Fate.KNOWN),
        (record(message(named(b"llm.corp"))), Fate.KNOWN),
        (record(message(named(b"bank.example"))), Fate.OTHER),
        # One host for models and for much else.
        (record(message(named(b"x.cognitiveservices.azure.com"))), Fate.OTHER),
        (record(message(named(b"front.example") + ENCRYPTED)), Fate.HIDDEN),
        (record(message(ENCRYPTED)), Fate.HIDDEN),
        (record(message(named(b"api.openai.com") + ENCRYPTED)), Fate.KNOWN),
        (record(message(b"")), Fate.NAMELESS),
        (OPENAI[:5] + b"\x02" + OPENAI[6:], Fate.MALFORMED),
    ],
)
def test_only_names_of_model_apis_go_further(data: bytes, fate: Fate) -> None:
    """The rest is counted, and nothing of it is kept."""
    one = made()
    list(one.receive(hello(1, data)))
    assert not one._unfinished
    assert [name for name, number in one.fates.items() if number] == [fate]
    assert bool(one.server_name(1)) == (fate is Fate.KNOWN)
    assert len(outcomes(one)) == (fate is Fate.KNOWN)


def test_real_clients_names_are_found_in_what_one_packet_holds() -> None:
    """Those recorded that speak to a model API."""
    one = made()
    for cookie, recorded in enumerate(RECORDED, 1):
        list(one.receive(hello(cookie, recorded.data)))
    assert (one.fates[Fate.KNOWN], one.fates[Fate.OTHER]) == (5, 2)
    assert one.server_name(1) == "api.openai.com"


@pytest.mark.parametrize("cut", range(1, len(OPENAI)))
def test_a_hello_in_two_packets_is_one(cut: int) -> None:
    """Wherever it is cut, with another socket's in between."""
    one = made()
    list(one.receive(hello(1, OPENAI[:cut])))
    list(one.receive(hello(2)))
    list(one.receive(hello(1, OPENAI[cut:], position=cut)))
    assert (one.server_name(1), one.fates[Fate.KNOWN]) == ("api.openai.com", 2)
    list(one.judged(1, POD, 2))
    assert sorted(outcomes(one)) == [Joined.NOT_READ, Joined.READ]


@pytest.mark.parametrize("happens", ["nothing more", "it is judged", "a packet is missing", "too many wait"])
def test_a_hello_whose_end_is_missing_is_told_by_what_there_is(happens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, if that stands in front; else that it is cut: nothing is guessed, and nothing waits for ever."""
    monkeypatch.setattr(hellos, "MAX_UNFINISHED", 2)
    one = made()
    padded = record(message(named(b"api.openai.com") + extension(21, bytes(40))))
    for cookie, end in ((1, -1), (2, 60)):
        list(one.receive(hello(cookie, padded[:end])))
    if happens == "it is judged":
        list(one.judged(1, POD, 2))
        list(one.judged(2, POD, 2))
    elif happens == "a packet is missing":
        list(one.receive(hello(1, b"x", position=len(OPENAI))))
        list(one.receive(hello(2, b"x", position=61)))
    elif happens == "too many wait":
        for cookie in (3, 4):
            list(one.receive(hello(cookie, OPENAI[:7])))
    came = outcomes(one)
    assert came == [Joined.READ if happens == "it is judged" else Joined.NOT_READ]
    assert one.server_name(1) == "api.openai.com"
    assert one.fates[Fate.CUT] == (3 if happens == "too many wait" else 1)
    assert not one._unfinished


def test_the_rest_of_a_hello_that_nobody_began_is_nothing() -> None:
    """Nor is one that goes on after it was cut."""
    one = made()
    assert list(one.receive(hello(1, OPENAI[9:], position=9))) == []
    assert not any(one.fates.values())


def test_what_was_too_much_is_told_of_its_group_once() -> None:
    """Each says how many there were ever; two of one moment may change places, and the kernel side may forget the group."""
    one = made()
    said = (0, 5, 5, 9, 8, 9, 3, 3)
    told = [list(one.receive(hello(cookie, untold=untold))) for cookie, untold in enumerate(said, 1)]
    assert [known.number for each in told for known in each] == [5, 4, 3]
    assert {known[:3] for each in told for known in each} == {(POD, "unknown", Joined.UNTOLD)}
    assert list(one.receive(hello(99, cgroup_id=OTHER_POD, untold=1))) == [
        Known(OTHER_POD, "unknown", Joined.UNTOLD, 1)
    ]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has to go before it is known what became of it is unknown: every connection is told once."""
    monkeypatch.setattr(hellos, "MAX_KNOWN", 5)
    monkeypatch.setattr(hellos, "MAX_GROUPS", 2)
    one = made()
    told = [known.joined for cookie in range(1, 8) for known in one.receive(hello(cookie))]
    assert told == [Joined.UNKNOWN] * 2
    for group in range(9):
        list(one.judged(0, group, 2))
        list(one.receive(hello(100 + group, OPENAI[:7], cgroup_id=group, untold=1)))
    assert len(one._unjoined_ns) == len(one._untold) == 2
    assert outcomes(one) == [Joined.UNKNOWN] * 5
