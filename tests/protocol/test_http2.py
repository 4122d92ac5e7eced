"""HTTP/2 from the side: the law of splits, everything that frames can say, floods, bombs, loss, and who came late."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Body, EndOfMessage, HttpEvent, ProtocolError, RequestHead, ResponseHead, Side
from agent.protocol.header_blocks import MAX_TABLE_BYTES
from agent.protocol.headers import KEPT
from agent.protocol.http2 import (
    MAX_CONTINUATIONS,
    MAX_STREAMS,
    RequestReader,
    ResponseReader,
    Streams,
)
from agent.protocol.http2_frames import MAX_KEPT_BYTES
from tests.protocol.cuts import bytewise, every_cut_in_two, growth, random_cuts
from tests.protocol.http2_talk import Talk, ends, open_streams

LONG = [(f"x-long-{number}", "v" * 60) for number in range(12)]


def joined(events: list[HttpEvent]) -> list[HttpEvent]:
    """Neighbouring bodies of a stream as one: only their cuts may differ."""
    out: list[HttpEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, Body) and isinstance(last, Body) and last.stream_id == event.stream_id:
            out[-1] = Body(stream_id=event.stream_id, side=event.side, data=last.data + event.data)
        else:
            out.append(event)
    return out


def conversation() -> tuple[bytes, bytes]:
    """Three streams, woven; everything that is to be passed over in between."""
    client, server = Talk(), Talk()
    sent = client.preface() + client.window()
    sent += client.request(1, extra=[("authorization", "Bearer sk-secret")], priority=True)
    sent += client.request(3, "/v1/messages", "api.anthropic.com", LONG, pieces=4, pad=7)
    sent += client.priority(5) + client.data(1, b'{"model":') + client.data(3, b"{}", end=True, pad=200)
    sent += client.ping() + client.data(1, b'"m"}') + client.data(1, b"", end=True)
    sent += client.head(5, [(":method", "GET"), (":scheme", "https"), (":path", "/v1/models?key=AIza")], end=True)
    received = (
        server.settings() + server.response(3, 103, [("link", "x")]) + server.promise(1, 2, [(":path", "/pushed")])
    )
    received += server.response(2) + server.data(2, b"pushed", end=True)
    received += server.response(3, extra=LONG, pieces=3) + server.response(1, 429, [("retry-after", "3")], pad=3)
    received += server.data(3, b"one") + server.data(1, b"", end=True) + server.data(3, b"two" * 200, pad=9)
    received += server.head(3, [("grpc-status", "0"), ("x-secret", "no")], end=True) + server.response(5, 404, end=True)
    return sent, received + bytes.fromhex("000003aa0000000000") + b"ext" + server.goaway(5)


def read(sent: list[bytes], received: list[bytes]) -> tuple[list[HttpEvent], list[HttpEvent]]:
    streams = Streams()
    requests, responses = RequestReader(streams, KEPT), ResponseReader(streams, KEPT, whole=True)
    asked = [event for part in sent for event in requests.receive(part)]
    answered = [event for part in received for event in responses.receive(part)]
    assert not streams.open
    return joined(asked), joined(answered)


def test_a_conversation_gives_its_events() -> None:
    """Heads of allowed names, bodies without padding, trailers, ends, each on its stream; nothing of promises and interim answers."""
    sent, received = conversation()
    asked, answered = read([sent], [received])
    heads = [event for event in asked if isinstance(event, RequestHead)]
    assert [(head.stream_id, head.method, head.host, head.target) for head in heads] == [
        (1, "POST", "api.openai.com", "/v1/chat/completions"),
        (3, "POST", "api.anthropic.com", "/v1/messages"),
        (5, "GET", "", "/v1/models?key=*"),
    ]
    assert [head.http_version for head in heads] == ["2"] * 3
    assert not any(head.missing for head in heads), "who names no host hid nothing from us"
    assert "sk-secret" not in repr(asked)
    assert "AIza" not in repr(asked)
    assert [(event.stream_id, event.data) for event in asked if isinstance(event, Body)] == [
        (1, b'{"model":'),
        (3, b"{}"),
        (1, b'"m"}'),
    ]
    answers = [(event.stream_id, event.status) for event in answered if isinstance(event, ResponseHead)]
    assert answers == [(3, 200), (1, 429), (5, 404)]
    assert [(event.stream_id, len(event.data)) for event in answered if isinstance(event, Body)] == [(3, 3), (3, 600)]
    ends = [
        (event.stream_id, event.complete, dict(event.trailers)) for event in answered if isinstance(event, EndOfMessage)
    ]
    assert ends == [(1, True, {}), (3, True, {"grpc-status": "0"}), (5, True, {})]
    assert all(event.complete for event in asked if isinstance(event, EndOfMessage))


def test_splitting_never_changes_the_events() -> None:
    """Byte by byte, every cut in two, random cuts: of each direction."""
    sent, received = conversation()
    asked, answered = read([sent], [received])
    for parts in [bytewise(sent), *list(every_cut_in_two(sent))[::3], *random_cuts(sent)]:
        assert read(parts, [received])[0] == asked
    ways = [bytewise(received), *list(every_cut_in_two(received))[::3], *random_cuts(received)]
    for parts in ways:
        assert read([sent], parts)[1] == answered


def test_a_key_is_named_by_its_hash() -> None:
    """As in HTTP/1: from a header or from the query."""
    client = Talk()
    reader = RequestReader(Streams(), KEPT, lambda key: f"hash of {len(key)}")
    reader.receive(client.preface())
    (head, *_) = reader.receive(client.request(1, extra=[("x-api-key", "12345")], end=True))
    (other, *_) = reader.receive(client.request(3, "/x?key=123", end=True))
    assert isinstance(head, RequestHead)
    assert isinstance(other, RequestHead)
    assert (head.key_hash, other.key_hash) == ("hash of 5", "hash of 3")


# ------------------------------------------------------------------------------------------------------------ endings


def test_a_reset_ends_both_sides() -> None:
    """By the client, by the server; one that was refused is told as such; a second one is nothing."""
    streams, requests, responses, client, server = open_streams(3)
    assert ends(requests.receive(client.reset(1) * 2)) == [
        (1, Side.REQUEST, False, False),
        (1, Side.RESPONSE, False, False),
    ]
    assert ends(responses.receive(server.response(1) + server.data(1, b"late"))) == []
    assert (3, Side.RESPONSE, False, False) in ends(responses.receive(server.reset(3, 2)))
    assert (5, Side.RESPONSE, False, True) in ends(responses.receive(server.reset(5, 7)))
    assert not streams.open


def test_streams_that_a_server_going_away_did_not_look_at_are_refused() -> None:
    """The others go on."""
    streams, _, responses, _, server = open_streams(3)
    gone = ends(responses.receive(server.goaway(2**31 - 1) + server.goaway(1)))
    assert {(stream_id, refused) for stream_id, side, _, refused in gone if side is Side.RESPONSE} == {
        (3, True),
        (5, True),
    }
    assert list(streams.open) == [1]
    assert ends(responses.receive(server.response(1, end=True))) == [(1, Side.RESPONSE, True, False)]


def test_an_answer_can_end_before_its_request() -> None:
    """What the client still sends is of no interest."""
    streams, requests, responses, client, server = open_streams(1)
    assert ends(responses.receive(server.response(1, 413, end=True))) == [(1, Side.RESPONSE, True, False)]
    assert requests.receive(client.data(1, b"more", end=True)) == []
    assert not streams.open


def test_a_server_is_told_by_its_side() -> None:
    """Who sends answers and receives requests is watched at the wrong end."""
    requests, responses = RequestReader(Streams(), KEPT), ResponseReader(Streams(), KEPT, whole=False)
    requests.receive(Talk().response(1) + Talk().data(1, b"x" * 20) * 3)
    responses.receive(Talk().request(1) + Talk().data(1, b"x" * 20) * 3)
    assert (requests.server_side, responses.server_side) == (True, True)


# --------------------------------------------------------------------------------------------------- floods and bombs


def test_continuations_are_bounded() -> None:
    """In number and in bytes; nothing else may stand between them."""
    for how in ("many", "long", "between"):
        client = Talk()
        reader = RequestReader(Streams(), KEPT)
        reader.receive(client.preface())
        whole = client.head(1, LONG, pieces=2)
        first = whole[: 9 + int.from_bytes(whole[:3], "big")]
        reader.receive(first)
        empty = bytes.fromhex("000000090000000001")
        with pytest.raises(ProtocolError):
            if how == "many":
                reader.receive(empty * (MAX_CONTINUATIONS + 1))
            elif how == "long":
                for _ in range(6):
                    reader.receive(bytes.fromhex("003fff090000000001") + b"x" * 0x3FFF)
            else:
                reader.receive(client.ping())
        assert reader.buffered_bytes < 2 * MAX_KEPT_BYTES


def test_a_frame_that_is_kept_has_a_bound() -> None:
    """DATA has none, as it is not kept: 16 MiB in one frame."""
    _, requests, _, _, _ = open_streams(1)
    requests.receive(bytes.fromhex("ffffff000000000001"))
    for _ in range(100):
        (body,) = requests.receive(b"x" * 1000)
        assert isinstance(body, Body)
    assert requests.buffered_bytes < 5000
    _, requests, _, _, _ = open_streams(0)
    with pytest.raises(ProtocolError, match="type 1"):
        requests.receive(bytes.fromhex("100000010400000001"))


def test_streams_are_bounded() -> None:
    """The oldest is told as cut; what is held per stream is small."""
    streams, client = Streams(), Talk()
    reader = RequestReader(streams, KEPT)
    reader.receive(client.preface())
    events: list[HttpEvent] = []
    for number in range(MAX_STREAMS + 5):
        events += reader.receive(client.request(2 * number + 1))
    assert len(streams.open) == MAX_STREAMS
    cut = [stream_id for stream_id, side, _, _ in ends(events) if side is Side.RESPONSE]
    assert cut == [1, 3, 5, 7, 9]
    assert sys.getsizeof(streams.open) / MAX_STREAMS < streams.buffered_bytes / MAX_STREAMS
    assert reader.buffered_bytes <= MAX_TABLE_BYTES + MAX_KEPT_BYTES


@pytest.mark.parametrize(
    "flood",
    [
        lambda talk: talk.settings() * 20_000,
        lambda talk: talk.ping() * 30_000,
        lambda talk: talk.data(1, b"") * 50_000,
        lambda talk: b"".join(talk.request(2 * n + 1) + talk.reset(2 * n + 1) for n in range(1, 3000)),
    ],
    ids=["settings", "ping", "empty data", "rapid reset"],
)
def test_a_flood_leaves_nothing(flood: Callable[[Talk], bytes]) -> None:
    """Frames that cost their sender nothing cost us no memory."""
    streams, requests, _, client, _ = open_streams(1)
    data = flood(client)
    for at in range(0, len(data), 16_384):
        requests.receive(data[at : at + 16_384])
        assert len(streams.open) <= 2
        assert requests.buffered_bytes <= MAX_TABLE_BYTES + MAX_KEPT_BYTES


def test_time_grows_with_the_input_alone() -> None:
    """Noise after a loss: no search begins anew for every byte."""

    def work(size: int) -> None:
        responses = open_streams(1)[2]
        responses.gap(0)
        noise = bytes.fromhex("00000f00") * (size // 4)
        for at in range(0, size, 16_384):
            responses.receive(noise[at : at + 16_384])

    assert growth(work, small=200_000) < 24


@given(st.lists(st.integers(0, 255), min_size=1, max_size=6), st.integers(0, 3), st.randoms(use_true_random=False))
def test_damage_gives_events_or_our_error(places: list[int], gaps: int, chance: object) -> None:
    """Valid traffic, changed and with gaps, in any pieces: events of allowed headers, or ProtocolError; and little is held."""
    sent, received = conversation()
    streams = Streams()
    for reader, data in (
        (RequestReader(streams, KEPT), bytearray(sent)),
        (ResponseReader(streams, KEPT, whole=True), bytearray(received)),
    ):
        for place in places:
            data[place * len(data) // 256] ^= place | 1
        try:
            for number, part in enumerate(next(iter(random_cuts(bytes(data), rounds=1)))):
                if gaps and number % 7 == gaps:
                    reader.gap(len(part) * (number % 2))
                    continue
                for event in reader.receive(part):
                    assert KEPT.issuperset(getattr(event, "headers", {}))
                assert reader.buffered_bytes <= MAX_TABLE_BYTES + 2 * MAX_KEPT_BYTES
            reader.close()
        except ProtocolError:
            pass


@given(st.binary(max_size=400), st.booleans())
def test_garbage_gives_events_or_our_error(data: bytes, whole: bool) -> None:
    """Any bytes at all, from the start or in between."""
    for reader in (RequestReader(Streams(), KEPT), ResponseReader(Streams(upgraded=True), KEPT, whole=whole)):
        try:
            reader.receive(data)
            reader.gap(3)
            reader.receive(data)
            reader.close()
        except ProtocolError:
            pass
