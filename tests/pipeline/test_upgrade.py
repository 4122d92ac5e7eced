"""From HTTP to WebSocket on one connection: where the one ends and the other begins, refused handshakes, loss at the border."""

from __future__ import annotations

import pytest

from agent.model import Direction, Evidence, Judgement, Outcome, Quarantined
from agent.pipeline.session import MAX_UNKNOWN_MESSAGES
from tests.exchanges import CHAT_ANSWER, Wire, request, response
from tests.pipeline.test_connection import verdicts
from tests.pipeline.test_session import CREATED, DONE
from tests.protocol.cuts import bytewise, every_cut_in_two, random_cuts
from tests.protocol.websocket_frames import CLOSE, Deflater, frame

UPGRADE = "connection: Upgrade\r\nupgrade: WebSocket\r\n"
ASK = frame(b'{"type":"response.create"}', masked=True)


def handshake(host: str = "api.openai.com", path: str = "/v1/realtime?model=m") -> bytes:
    return request(path, host, method="GET", headers=UPGRADE)


def switched(headers: str = "") -> bytes:
    return f"HTTP/1.1 101 Switching Protocols\r\n{UPGRADE}{headers}\r\n".encode()


def test_splitting_a_connection_never_changes_its_turns() -> None:
    """Byte by byte, every cut in two, random cuts, through head and frames alike."""
    received = switched() + frame(CREATED) + frame(DONE) + frame(DONE.replace(b"resp_1", b"resp_2"))
    (first, second) = Wire().send(handshake()).receive(received).calls
    assert (first.reading.evidence, second.reading.response_id) == (Evidence.REPORTED, "resp_2")
    for parts in [bytewise(received), *every_cut_in_two(received), *random_cuts(received)]:
        calls = Wire().send(handshake()).receive(*[part for part in parts if part]).calls
        assert [call.reading for call in calls] == [first.reading, second.reading]
    sent = handshake() + ASK
    for parts in [bytewise(sent), *every_cut_in_two(sent)]:
        calls = Wire().send(*[part for part in parts if part]).receive(received).calls
        assert [call.reading for call in calls] == [first.reading, second.reading]


def test_the_connection_is_watched_from_its_request_on() -> None:
    """A verdict once, and none at a good end."""
    wire = Wire().send(handshake()).receive(switched(), frame(CREATED), frame(DONE), frame(b"", CLOSE)).close()
    assert verdicts(wire) == [(Judgement.WATCH, "known_host")]
    assert len(wire.calls) == 1


def test_what_both_say_behind_the_heads_belongs_to_the_session() -> None:
    """Also what the client sent before we saw the answer."""
    wire = Wire().send(handshake(), ASK).receive(switched() + frame(CREATED), frame(DONE))
    (call,) = wire.calls
    assert (call.outcome, call.started_at_ns) == (Outcome.OK, 4 * 10**9)


def test_a_refused_handshake_is_an_exchange() -> None:
    """401 with JSON: a call that cost nothing, and the connection goes on as HTTP."""
    wire = Wire().send(handshake()).receive(response({"error": {"code": "invalid_api_key"}}, status=401))
    wire.send(request()).receive(response(CHAT_ANSWER))
    refused, answered = wire.calls
    assert (refused.api, refused.status, refused.outcome) == ("openai/realtime", 401, Outcome.CLIENT_ERROR)
    assert (refused.reading.evidence, refused.reading.error) == (Evidence.NOT_APPLICABLE, "invalid_api_key")
    assert answered.reading.evidence is Evidence.REPORTED


def test_a_connection_that_ends_tells_the_turn_under_way() -> None:
    """As cut, once."""
    wire = Wire().send(handshake(), ASK).receive(switched() + frame(CREATED)).close()
    assert [(call.outcome, call.reading.response_id) for call in wire.calls] == [(Outcome.CUT, "resp_1")]


@pytest.mark.parametrize("frames_lost", [0, 1], ids=["inside a frame", "a whole frame"])
def test_bytes_lost_in_a_session(frames_lost: int) -> None:
    """Inside a frame's payload the session goes on; else it is let go, and says so."""
    one = frame(CREATED)
    wire = Wire().send(handshake()).receive(switched())
    if frames_lost:
        wire.lose(Direction.RECEIVED, len(one))
    else:
        wire.receive(one[:20]).lose(Direction.RECEIVED, len(one) - 20)
    wire.receive(frame(DONE))
    (call,) = wire.calls
    if frames_lost:
        assert (call.outcome, call.reading.evidence) == (Outcome.CUT, Evidence.ABSENT)
        assert call.lost_bytes == len(one)
        assert verdicts(wire)[-1] == (Judgement.IGNORE, "session_lost")
    else:
        assert (call.outcome, call.reading.evidence) == (Outcome.OK, Evidence.REPORTED)


def test_bytes_of_the_client_lost_before_the_answer() -> None:
    """Where its first frame begins is not known: the client's side is given up, the answers are read."""
    wire = Wire().send(handshake()).lose(Direction.SENT, 7).send(ASK[3:]).receive(switched(), frame(CREATED))
    wire.send(ASK).receive(frame(DONE))
    assert [call.reading.evidence for call in wire.calls] == [Evidence.REPORTED]
    assert not [output for output in wire.outputs if isinstance(output, Quarantined)]


def test_compression_is_read_from_the_answers_head() -> None:
    """And from there alone: what the client offered is not what was agreed."""
    packed = Deflater()
    offer = request("/v1/realtime", method="GET", headers=UPGRADE + "sec-websocket-extensions: x-other\r\n")
    wire = Wire().send(offer).receive(switched("Sec-WebSocket-Extensions: permessage-deflate\r\n"))
    wire.receive(*[frame(packed(said), compressed=True) for said in (CREATED, DONE)])
    assert [call.reading.evidence for call in wire.calls] == [Evidence.REPORTED]


def test_broken_frames_cost_the_connection_and_tell_the_turn() -> None:
    """A quarantine, with what was under way as cut before it."""
    wire = Wire().send(handshake()).receive(switched() + frame(CREATED), b"\xff\x00")
    assert [call.outcome for call in wire.calls] == [Outcome.CUT]
    assert [output.reason for output in wire.outputs if isinstance(output, Quarantined)] == ["protocol_error"]


def test_an_unknown_extension_costs_the_connection() -> None:
    """Told as such, not read wrongly."""
    wire = Wire().send(handshake()).receive(switched("sec-websocket-extensions: x-other\r\n") + frame(DONE))
    assert wire.calls == []
    assert [output.reason for output in wire.outputs if isinstance(output, Quarantined)] == ["protocol_error"]


def test_somebody_elses_socket_costs_one_look() -> None:
    """An unknown host and a path of its own: dropped in the kernel at the answer's head."""
    wire = Wire().send(handshake("chat.example", "/socket")).receive(switched() + frame(b"hello"))
    assert verdicts(wire) == [(Judgement.IGNORE, "upgraded")]
    assert wire.calls == []


def test_somebody_elses_socket_with_our_path_costs_some_messages() -> None:
    """Then it is dropped too."""
    wire = Wire().send(handshake("app.example", "/realtime")).receive(switched())
    wire.receive(*[frame(b'{"event":"heartbeat"}')] * (MAX_UNKNOWN_MESSAGES + 2))
    assert verdicts(wire) == [(Judgement.WATCH, "known_path"), (Judgement.IGNORE, "unknown_api")]
    assert wire.calls == []


FROM_SERVERS = pytest.mark.parametrize(
    "message",
    [
        DONE,
        b'{"event_id":"e","type":"x"}',
        b'{"type":"' + b"x" * 300 + b'"}',
        b'{\n  "serverContent": ' + b" " * 70_000,
    ],
)


@FROM_SERVERS
def test_a_session_that_was_joined_in_the_middle_is_told(message: bytes) -> None:
    """Whose it is was said before we came: it is let go at once, with a reason of its own, and costs no more looks."""
    wire = Wire().send(frame(b'{"type":"x"}', masked=True)).receive(frame(message))
    assert verdicts(wire) == [(Judgement.IGNORE, "session_missed")]


@FROM_SERVERS
def test_the_servers_end_of_such_a_session_is_a_servers(message: bytes) -> None:
    """Both ends are on one node, perhaps: that one tells of the session, and this one is no second one."""
    wire = Wire().receive(ASK).send(frame(message)).receive(ASK)
    assert verdicts(wire) == [(Judgement.IGNORE, "server_side")]
    assert wire.calls == []


def test_what_a_client_says_in_the_middle_tells_nothing() -> None:
    """It is masked, so it is known by what the server says."""
    assert verdicts(Wire().send(ASK)) == verdicts(Wire().receive(ASK)) == []


def test_an_answer_that_was_joined_in_the_middle_is_no_session() -> None:
    """The connection is waited out as before, and its next exchange is read."""
    wire = Wire().receive(b'{"type":"message"}', b"\x81\x05hello", b"\x82").send(request()).receive(response())
    assert [call.reading.evidence for call in wire.calls] == [Evidence.REPORTED]
