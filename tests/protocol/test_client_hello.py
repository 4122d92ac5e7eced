"""A client's first words in TLS: of real libraries, however they are cut, and of bytes that are none."""

from __future__ import annotations

import ssl
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.client_hello import MAX_HELLO_BYTES, ClientHello, ClientHelloParser
from tests.protocol.cuts import all_ways


class Recorded(NamedTuple):
    origin: str
    data: bytes
    expected: ClientHello


def _recorded() -> list[Recorded]:
    text = (Path(__file__).parent / "client_hellos.toml").read_text(encoding="utf-8")
    return [
        Recorded(
            one["origin"],
            bytes.fromhex(one["hex"]),
            ClientHello(
                server_name=one["server_name"],
                protocols=tuple(one["protocols"]),
                encrypted=one["encrypted"],
                whole=True,
            ),
        )
        for one in tomllib.loads(text)["hello"]
    ]


RECORDED = _recorded()


def parse(parts: list[bytes]) -> list[ClientHello]:
    parser = ClientHelloParser()
    return [hello for part in parts for hello in parser.receive(part)] + parser.close()


def of_python(name: str, protocols: list[str]) -> bytes:
    """What this Python's OpenSSL says."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(protocols)
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def message(extensions: bytes, *, rest: bytes = b"") -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + len(extensions).to_bytes(2, "big")
    return b"\x01" + (len(body) + len(extensions) + len(rest)).to_bytes(3, "big") + body + extensions + rest


def record(data: bytes) -> bytes:
    return b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def named(name: bytes) -> bytes:
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    return extension(0, len(entry).to_bytes(2, "big") + entry)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one.origin)
def test_real_clients_are_understood_however_they_are_cut(recorded: Recorded) -> None:
    """Name, protocols, and whether there is more to hide; every cut in two, byte by byte, at random."""
    for parts in all_ways(recorded.data):
        assert parse(parts) == [recorded.expected], [len(part) for part in parts]


def test_this_pythons_own_hello_is_understood() -> None:
    """No recording grows old unnoticed."""
    [hello] = parse([of_python("API.OpenAI.com", ["http/1.1"])])
    assert hello == ClientHello(server_name="api.openai.com", protocols=("http/1.1",), encrypted=False, whole=True)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one.origin)
def test_a_beginning_tells_what_stands_in_it(recorded: Recorded) -> None:
    """Cut off anywhere: never called whole, and the name is there as soon as its last letter is, wherever the client puts it."""
    name = recorded.expected.server_name
    until = recorded.data.index(name.encode()) + len(name)
    for size in range(len(recorded.data)):
        for hello in parse([recorded.data[:size]]):
            assert not hello.whole
            assert hello.server_name == (name if size >= until else "")
    parser = ClientHelloParser()
    assert parser.receive(recorded.data[:-1]) == []
    [hello] = parser.gap()
    assert not hello.whole
    assert parser.receive(recorded.data[-1:]) == []
    assert parser.close() == []


def test_one_in_several_records_is_one() -> None:
    """RFC 8446 5.1 allows it; what follows is nobody's business here."""
    data = RECORDED[0].data[5:]
    pieces = b"".join(record(data[at : at + 100]) for at in range(0, len(data), 100))
    for parts in all_ways(pieces + b"\x14\x03\x03\0\x01\x01"):
        assert parse(parts) == [RECORDED[0].expected]


def test_without_a_name() -> None:
    """A client that asks for an address says none."""
    [hello] = parse([of_python("127.0.0.1", [])])
    assert (hello.server_name, hello.protocols, hello.whole) == ("", (), True)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        record(b"\x02" + bytes(40)),
        record(b"\x01\xff\xff\xff"),
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\xff\xff",
        record(message(named(b"a.example") + named(b"a.example"))),
        record(message(named(b"a b"))),
        record(message(named(b"caf\xc3\xa9.example"))),
        record(message(named(b""))),
        record(message(named(b"x" * 256))),
        record(message(extension(0, b"\0\x04\x01\0\x01a"))),
        record(message(extension(0, b"\0\x09\0\0\x09a"))),
        record(message(extension(16, b"\0\x03\x05h2"))),
        record(message(extension(16, b"\0\x22" + b"\x01a" * 17))),
        record(message(b"\0\0\0\x09ab")),
        record(message(b"", rest=b"\0\0")),
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    """No name that a log or a label could be led astray by, no length that leads beyond its own."""
    for parts in all_ways(data):
        with pytest.raises(ProtocolError):
            parse(parts)


def test_an_endless_hello_is_refused() -> None:
    """Bounded memory: its length is refused, and one that keeps its word is no longer than that."""
    with pytest.raises(ProtocolError, match="ClientHello of"):
        ClientHelloParser().receive(record(b"\x01" + (MAX_HELLO_BYTES + 1).to_bytes(3, "big")))
    parser = ClientHelloParser()
    parser.receive(record(b"\x01" + MAX_HELLO_BYTES.to_bytes(3, "big")))
    for _ in range(3):
        assert len(parser.receive(record(bytes(MAX_HELLO_BYTES // 4)))) == 0
    assert parser.buffered_bytes <= MAX_HELLO_BYTES


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_in_two_parts_are_as_in_one(data: bytes, cut: int) -> None:
    """Garbage included, also in a record: the same hello or the same refusal."""

    def outcome(parts: list[bytes]) -> list[ClientHello] | str:
        try:
            return parse(parts)
        except ProtocolError as error:
            return str(error)

    for one in (data, record(data or b"\0"), record(message(data))):
        assert outcome([one[:cut], one[cut:]]) == outcome([one])


@given(st.integers(0, len(RECORDED) - 1), st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6))
def test_changed_hellos_are_read_or_refused(which: int, changes: list[tuple[int, int]]) -> None:
    """Nothing but ProtocolError, and a name is always one that may be shown."""
    data = bytearray(RECORDED[which].data)
    for at, value in changes:
        data[at % len(data)] = value
    try:
        told = parse([bytes(data)])
    except ProtocolError:
        return
    for hello in told:
        assert hello.server_name.isascii()
        assert not set(hello.server_name) - set("abcdefghijklmnopqrstuvwxyz0123456789-._")
