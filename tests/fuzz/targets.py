"""
What is fuzzed, and what must hold: bytes give events or the parser's own error, never anything else, and what is held stays bounded.

A target takes one input.  Its first two bytes say how the rest is cut and where bytes are lost, so that a fuzzer finds splits and gaps too.
"""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from agent.capture.elf import ElfError, ElfFile, Function
from agent.capture.go_code import results, stack_check
from agent.capture.gopclntab import FunctionTable, UnknownTableError
from agent.capture.image import Image
from agent.capture.match import apply
from agent.capture.rust_code import cipher_offset, received_tag, shape_of
from agent.capture.signature import SignatureError, shipped
from agent.capture.signature import parse as parse_signature
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.dialects import DIALECTS, SESSION_DIALECTS
from agent.dialects.base import Turn
from agent.dialects.protobuf import Message
from agent.dialects.providers import Providers
from agent.estimation.counting import ByCharacters
from agent.model import Chunk, Closed, ConnId, Direction, ProtocolError, Quarantined, RequestHead, StreamItem, Unpriced
from agent.pipeline.pipeline import Pipeline
from agent.protocol.client_hello import ClientHello, ClientHelloParser
from agent.protocol.content import decoder_for
from agent.protocol.eventstream import EventStreamParser
from agent.protocol.grpc import GrpcParser
from agent.protocol.headers import KEPT, key_hasher
from agent.protocol.http1 import RequestReader, ResponseReader
from agent.protocol.http2 import RequestReader as Http2Requests
from agent.protocol.http2 import ResponseReader as Http2Responses
from agent.protocol.http2 import Streams
from agent.protocol.json_array import JsonArrayParser
from agent.protocol.lines import LinesParser
from agent.protocol.skim import KEPT_OF_A_RUN_BYTES, Skimmer
from agent.protocol.sse import SseParser
from agent.protocol.websocket import MAX_MESSAGE_BYTES, Deflate, WebSocketReader
from tests.capture.test_go_code import BUILDS, Build
from tests.capture.test_gopclntab import FUNCTIONS, MAGICS, reader, table
from tests.capture.test_rust_code import BUILDS as RUST_BUILDS
from tests.capture.test_rust_code import Build as RustBuild

Target = Callable[[bytes], None]
GO_BUILDS = [Build(name) for name in BUILDS]
RUSTLS_BUILDS = [RustBuild(name) for name in RUST_BUILDS]

# An input is at most a few KiB here, so whoever holds more than this made it up.
MAX_HELD_BYTES = 1024 * 1024
# zlib's and zstd's best is about a thousandfold; a decoder stops long before that.
MAX_INFLATED_BYTES = 64 * 1024 * 1024
CODINGS = ("gzip", "br", "zstd", "deflate", "gzip, br", "identity", "x-unknown")


class Items(Protocol):
    @property
    def buffered_bytes(self) -> int: ...

    def receive(self, data: bytes) -> Sequence[StreamItem | ClientHello]: ...

    def gap(self) -> object: ...

    def close(self) -> object: ...


def cuts(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The pieces of an input, and whether bytes are lost before each."""
    if len(data) < 2:
        return
    size, every = data[0] % 64 + 1, data[1] % 16
    for number, at in enumerate(range(2, len(data), size)):
        yield data[at : at + size], bool(every) and number % 16 == every


def items(make: Callable[[], Items]) -> Target:
    def target(data: bytes) -> None:
        parser = make()
        try:
            for piece, lost in cuts(data):
                if lost:
                    parser.gap()
                for item in parser.receive(piece):
                    assert isinstance(item, StreamItem | ClientHello), type(item)
                assert parser.buffered_bytes <= MAX_HELD_BYTES, parser.buffered_bytes
            parser.close()
        except ProtocolError:
            pass

    return target


def http1(make: Callable[[], RequestReader | ResponseReader]) -> Target:
    def target(data: bytes) -> None:
        reader = make()
        try:
            for piece, lost in cuts(data):
                if lost:
                    reader.gap(len(piece))
                for event in reader.receive(piece):
                    headers = getattr(event, "headers", {})
                    assert KEPT.issuperset(headers), "a header that is not on the list was kept"
                assert reader.buffered_bytes <= MAX_HELD_BYTES
            reader.close()
        except ProtocolError:
            pass

    return target


def http2(data: bytes) -> None:
    """Both directions of the same bytes, each from the start or from the middle, as the first of them says."""
    if not data:
        return
    streams = Streams(upgraded=bool(data[0] & 1))
    for side in (Http2Requests(streams, KEPT), Http2Responses(streams, KEPT, whole=bool(data[0] & 2))):
        try:
            for piece, lost in cuts(data[1:]):
                for event in (side.gap(piece[0]) if lost else []) + side.receive(piece):
                    assert KEPT.issuperset(getattr(event, "headers", {})), "a header that is not on the list was kept"
                assert side.buffered_bytes <= MAX_HELD_BYTES
            side.close()
        except ProtocolError:
            pass


def websocket(data: bytes) -> None:
    """One direction of a WebSocket, with the compression of the input's choice."""
    if not data:
        return
    deflate = (None, Deflate(keeps_context=True), Deflate(keeps_context=False))[data[0] % 3]
    reader = WebSocketReader(deflate)
    try:
        for piece, lost in cuts(data[1:]):
            messages = reader.gap(piece[0] % 32) if lost else []
            for message in messages + reader.receive(piece):
                assert not (message.data and message.missing)
            # A frame's header is 14 bytes.
            assert reader.buffered_bytes <= MAX_MESSAGE_BYTES + 14
        reader.close()
        assert not reader.buffered_bytes
    except ProtocolError:
        pass


def sessions(data: bytes) -> None:
    """Messages of the input's making for each session API, one a line: the client's begin with ">", an empty one is missing."""
    if not data:
        return
    head = RequestHead(stream_id=1, method="GET", target="/v1/realtime?model=m", headers={"host": "h"})
    reader = SESSION_DIALECTS[data[0] % len(SESSION_DIALECTS)](head, "openai")
    for at_ns, line in enumerate(data[1:].split(b"\n"), 1):
        direction = Direction.SENT if line.startswith(b">") else Direction.RECEIVED
        turns = reader.message(direction, line.removeprefix(b">"), at_ns) if line else reader.missing(direction, at_ns)
        assert all(isinstance(turn, Turn) for turn in turns)
        assert reader.buffered_bytes <= MAX_HELD_BYTES
    assert all(isinstance(turn, Turn) for turn in reader.close())


def skim(data: bytes) -> None:
    """A JSON body of the input's making, with runs of every length: one that can be read before can be read after."""
    body = b"".join(part * (KEPT_OF_A_RUN_BYTES if index % 2 else 1) for index, part in enumerate(data.split(b"\xff")))[
        : 1 << 20
    ]
    skimmer = Skimmer()
    step = 16 + (data[0] if data else 0) * 64
    for at in range(0, len(body), step):
        skimmer.receive(body[at : at + step])
    skimmer.close()
    assert len(skimmer.kept) <= len(body) + body.count(b",")
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return
    json.loads(bytes(skimmer.kept))


def content(data: bytes) -> None:
    """A content coding of the input's choice."""
    decoder, inflated = None, 0
    try:
        for piece, _ in cuts(data[1:]):
            decoder = decoder or decoder_for(CODINGS[data[0] % len(CODINGS)], piece[:12])
            inflated += len(decoder.decode(piece))
            assert inflated <= MAX_INFLATED_BYTES
    except ProtocolError:
        pass


def connection(data: bytes) -> None:
    """Both directions of a connection through the whole core: nothing there may be a bug of ours, or hold without bound."""
    pipeline = Pipeline(
        dialects=DIALECTS,
        provider_of=Providers().provider_of,
        price=lambda _: Unpriced(reason="unknown_model"),
        hash_key=key_hasher(b"sixteen bytes of salt"),
        tokenizer=ByCharacters(),
    )
    conn = ConnId(pid=1, pointer=1, born_ns=1)
    position = [0, 0]
    # The byte 0xff turns the direction, so one input holds both.
    turn = Direction.SENT
    at_ns = 1
    for piece, lost in cuts(data):
        for number, part in enumerate(piece.split(b"\xff")):
            if number:
                turn = Direction.RECEIVED if turn is Direction.SENT else Direction.SENT
            position[turn] += 7 if lost and not number else 0
            if not part:
                continue
            at_ns += 1
            chunk = Chunk(
                conn=conn,
                direction=turn,
                position=position[turn],
                data=part,
                at_ns=at_ns,
                last_at_ns=at_ns,
                cgroup_id=1,
            )
            position[turn] += len(part)
            _no_bug(pipeline, chunk)
    _no_bug(pipeline, Closed(conn=conn, at_ns=at_ns + 1))


def _no_bug(pipeline: Pipeline, event: Chunk | Closed) -> None:
    for output in pipeline.receive(event):
        assert not (isinstance(output, Quarantined) and output.reason == "bug"), output.detail


def dialects(data: bytes) -> None:
    """A body of the input's making for each wire API: document and stream."""
    if len(data) < 2:
        return
    dialect = DIALECTS[data[0] % len(DIALECTS)]
    body = data[2:]
    request = RequestHead(stream_id=1, method="POST", target="/v1/x/models/m:generateContent", headers={"host": "h"})
    for streaming in (False, True):
        reader = dialect(request, "openai")
        try:
            reader.request_body(body, bool(data[1] & 1))
            if streaming:
                for line in body.split(b"\n"):
                    reader.item(StreamItem(name="", data=line))
            else:
                reader.document(body, bool(data[1] & 2))
            reader.reading(complete=bool(data[1] & 4), streaming=streaming)
        except ProtocolError:
            pass


def protobuf(data: bytes) -> None:
    """A message of the input's making, walked to its leaves as far as three levels."""
    waiting = [Message(data)]
    for _ in range(3):
        inner = []
        for message in waiting:
            for field in range(32):
                message.number(field)
                message.numbers(field)
                message.text(field)
                inner += message.messages(field)
        waiting = inner[:64]


def elf(data: bytes) -> None:
    """A program of a tenant's making: where would we probe it?"""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        try:
            plan(ElfFile(file), Abilities(uretprobe_safe=True))
        except ElfError:
            pass


def signature(data: bytes) -> None:
    """A user's signature file, or what is left of it."""
    try:
        parse_signature(data)
    except SignatureError as error:
        assert "\n" not in str(error)


# One segment, readable and executable, that is the whole file.
_PROGRAM = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
_ANCHORS = b"\0../ssl/ssl_lib.c\0/x/ssl/ssl_lib.cc\0SSL_read\0"


def code(data: bytes) -> None:
    """A stripped program with the input for its code, and something to find in it."""
    base, head = 0x10000, len(_PROGRAM) + 56
    content = data + _ANCHORS
    program = _PROGRAM + struct.pack("<IIQQQQQQ", 1, 5, head, base, base, len(content), len(content), 4096) + content
    with tempfile.TemporaryFile() as file:
        file.write(program)
        file.flush()
        image = Image(ElfFile(file))
        places = image.strings_with(b"ssl_lib.c")
        assert set(places.values()) >= {b"../ssl/ssl_lib.c", b"/x/ssl/ssl_lib.cc"}
        # Every eighth byte might be named by an instruction.
        around = image.functions_around([*image.references(set(places)), *range(base, base + len(data), 8)])
        around += [one for start in range(base, base + len(data), 64) if (one := image.function(start))]
        for one in shipped():
            found, reason = apply(image, one, around)
            assert bool(found) != bool(reason)


def _changed(content: bytes, data: bytes) -> bytes:
    """Valid but for the input: three bytes a change, its place and its value."""
    changed = bytearray(content)
    for low, high, value in zip(data[::3], data[1::3], data[2::3], strict=False):
        changed[(low | high << 8) % len(changed)] = value
    return bytes(changed)


def go_table(data: bytes) -> None:
    """A Go program's table of functions."""
    if not data:
        return
    content = _changed(table(layout=list(MAGICS)[data[0] % len(MAGICS)]), data[1:])
    try:
        for span in FunctionTable(reader(content), len(content)).find([name for name, _, _ in FUNCTIONS]).values():
            assert span.start < span.end
    except UnknownTableError:
        pass


def go_code(data: bytes) -> None:
    """Code of a Go program: what is found lies inside it."""
    if not data:
        return
    build = GO_BUILDS[data[0] % len(GO_BUILDS)]
    for whole in (build.read, build.write):
        function = replace(whole, code=_changed(whole.code, data[1:]))
        found = [*build.writes(function), *(one.address for one in build.reads(function))]
        found += [one.address for one in results(function, build.address("runtime.memmove"), build.machine)]
        check = stack_check(function, build.machine)
        places = (*found, *([] if check is None else [check]))
        assert all(function.address <= at < function.address + len(function.code) for at in places)


def rust_code(data: bytes) -> None:
    """Code of rustls in a Rust program: what it says fits into a link's cookie, or it says nothing."""
    if not data:
        return
    build = RUSTLS_BUILDS[data[0] % len(RUSTLS_BUILDS)]

    def changed(functions: list[Function]) -> list[Function]:
        return [replace(one, code=_changed(one.code, data[1:])) for one in functions]

    shape_of(changed(build.encrypters))
    offset = cipher_offset(changed(build.senders), changed(build.recorders))
    assert offset is None or (offset % 8 == 0 and 0 <= offset < 1 << 16)
    for handle in changed(build.handlers):
        tag = received_tag(handle)
        assert tag is None or 0 <= tag < 8


TARGETS: dict[str, Target] = {
    "http1_request": http1(lambda: RequestReader(KEPT)),
    "http1_response": http1(lambda: ResponseReader(KEPT)),
    "http2": http2,
    "sse": items(SseParser),
    "lines": items(LinesParser),
    "json_array": items(JsonArrayParser),
    "eventstream": items(EventStreamParser),
    "grpc": items(lambda: GrpcParser("gzip")),
    "protobuf": protobuf,
    "websocket": websocket,
    "client_hello": items(ClientHelloParser),
    "sessions": sessions,
    "content": content,
    "skim": skim,
    "dialects": dialects,
    "connection": connection,
    "elf": elf,
    "signature": signature,
    "code": code,
    "go_table": go_table,
    "go_code": go_code,
    "rust_code": rust_code,
}
"""One for every parser that reads what a pod sends.  To add one: a function of bytes, and its line here."""
