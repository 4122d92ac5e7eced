"""
Stacks that are noticed and not read: TLS in stripped Rust programs, in Java and Erlang, and QUIC, whose bytes pass no function that can be probed from outside.

Why not, for each: docs/decisions/0015-stacks-that-are-noticed.md.  A library is known by a function that only it has; Rust's crates, which are
always linked in and mostly stripped, by the paths of their sources, which their panics name; so is Google's QUIC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.capture.elf import ElfFile
from agent.capture.match import MAX_SEARCHED_BYTES, MIN_CODE_BYTES
from agent.capture.plan import Plan, Sign, Unreadable
from agent.capture.sites import Abilities
from agent.capture.stacks import rustls

_BY_OPENSSL = "use a TLS library that can be read: OpenSSL, GnuTLS, NSS …"
_WITHOUT_QUIC = "switch HTTP/3 off in the client, so that it uses TLS over TCP"

_WINDOW_BYTES = 1024 * 1024
# A path of a source file, across two windows.
_OVERLAP_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How a stack is known, and what is told of it."""

    told: Unreadable
    functions: tuple[str, ...] = ()
    """Any of these is it."""
    text: bytes = b""
    """And this stands in its constants."""


def _java(detail: str) -> Unreadable:
    return Unreadable(
        stack="JSSE",
        detail=detail,
        remedy="use netty-tcnative or Conscrypt, which bring a TLS library that can be read, or the client's own telemetry",
        sign=Sign.TCP,
    )


def _quic(stack: str, sign: Sign = Sign.UDP) -> Unreadable:
    return Unreadable(
        stack=stack, detail="HTTP/3 encrypts datagrams, not a stream of bytes", remedy=_WITHOUT_QUIC, sign=sign
    )


KNOWN = (
    Known(
        functions=("JNI_CreateJavaVM",),
        told=_java("Java's own TLS is compiled while it runs, wherever the compiler puts it"),
    ),
    Known(
        functions=("erts_alloc", "enif_make_badarg", "driver_alloc"),
        text=b"erl_init",
        told=Unreadable(
            stack="Erlang ssl",
            detail="Erlang's and Elixir's TLS is Erlang code; the library that it loads only ciphers",
            remedy="send the calls through a gateway that podtab watches",
            sign=Sign.TCP,
        ),
    ),
    Known(functions=("ngtcp2_conn_client_new_versioned", "ngtcp2_conn_client_new"), told=_quic("ngtcp2")),
    Known(functions=("quiche_conn_send",), told=_quic("quiche")),
    Known(functions=("MsQuicOpenVersion",), told=_quic("msquic")),
    Known(functions=("lsquic_engine_connect",), told=_quic("lsquic")),
    Known(functions=("PyInit__buffer",), text=b"aioquic._buffer", told=_quic("aioquic", Sign.PRESENT)),
)
CRATES = {
    b"rustls": Unreadable(
        stack="rustls",
        detail="nothing of it is probed",
        remedy="keep the program's symbols (Cargo: strip = false), or build it with native-tls, which uses OpenSSL",
        sign=Sign.PROGRAM,
    ),
    b"quiche": _quic("quiche", Sign.PROGRAM),
}
# Google's, in C++: Envoy, Cronet, browsers.
_GOOGLE_QUIC = b"quiche/quic/core/quic_session.cc"
GOOGLE_QUIC = _quic("Google's QUICHE")
# …/registry/src/…/rustls-0.23.46/src/conn.rs, or vendored: …/rustls/src/conn.rs; not hyper-rustls-0.27.10/src/…
_SOURCE = re.compile(rb"(?<![\w-])(%s)(?:-(\d+\.\d+\.\d+)[\w.+-]{0,40})?/src/[\w/]{1,200}+\.rs" % b"|".join(CRATES))


class Noticed:
    """``Stack``."""

    name = "noticed"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        return Plan(sites=(), unreadable=tuple(one for one in search(elf, abilities) if one is not None))


def search(elf: ElfFile, abilities: Abilities) -> Iterator[Unreadable | None]:
    """What it carries; None wherever a large file has kept us for some milliseconds, for who has something else to do in between."""
    functions = elf.functions(name for known in KNOWN for name in known.functions)
    for known in KNOWN:
        if any(name in functions for name in known.functions) and (
            not known.text or any(known.text in window for window in _constants(elf))
        ):
            yield known.told
    if sum(segment.size for segment in elf.code) >= MIN_CODE_BYTES:
        yield from _by_sources(elf, abilities)


def _by_sources(elf: ElfFile, abilities: Abilities) -> Iterator[Unreadable | None]:
    """By paths of source files; of Rust's crates with the version where the path says it."""
    seen: dict[bytes, bytes] = {}
    google = False
    for window in _constants(elf):
        yield None
        if not any(crate in window for crate in CRATES):  # by far the quickest answer, and nearly always the last one
            continue
        google = google or _GOOGLE_QUIC in window
        for match in _SOURCE.finditer(window):
            seen[match[1]] = seen.get(match[1]) or match[2] or b""
    if google:
        yield GOOGLE_QUIC
    for crate in sorted(seen):
        told = CRATES[crate]
        version = seen[crate].decode()
        detail = _why_unread(elf, abilities) if crate == b"rustls" else told.detail
        if detail:
            yield Unreadable(stack=f"{told.stack} {version}".strip(), detail=detail, remedy=told.remedy, sign=told.sign)


def _why_unread(elf: ElfFile, abilities: Abilities) -> str:
    """Of rustls in this program; "" where it is read."""
    try:
        rustls.study(elf, abilities)
    except rustls.NotUnderstoodError as error:
        return str(error)
    return ""


def _constants(elf: ElfFile) -> Iterator[bytes]:
    """What is mapped and is no code, in windows that overlap; of a program whose constants stand in front of its code, that too."""
    if sum(segment.size for segment in elf.loaded) > MAX_SEARCHED_BYTES:
        return
    apart = [segment for segment in elf.loaded if not segment.executable and not segment.writable]
    for segment in apart or elf.code:
        for at in range(0, segment.size, _WINDOW_BYTES):
            yield elf.read(segment.file_offset + at, min(_WINDOW_BYTES + _OVERLAP_BYTES, segment.size - at))
