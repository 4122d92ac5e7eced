"""ELF files made to cost time: seconds to hours each, were it not for a bound."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from agent.capture.stacks import STACKS
from agent.capture.stacks.base import CLibrary

_CODE, _SYMTAB, _STRTAB, _DYNSYM = 1 << 20, 2, 3, 11
_CODE_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """A section, and what is mapped of it."""

    content: bytes
    section: int = 1  # SHT_PROGBITS
    flags: int = 4  # PF_R
    size: int = 0
    """Where the file has a hole behind the content."""


def build(path: Path, *parts: Part) -> Path:
    """At 1 MiB of the file and of memory the code, if that is the first part; a symbol table has the names of the part after it."""
    sections = [struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    segments: list[bytes] = []
    with path.open("wb") as file:
        at = _CODE
        for number, part in enumerate(parts, 1):
            size = max(part.size, len(part.content))
            file.seek(at)
            file.write(part.content)
            sections.append(struct.pack("<IIQQQQIIQQ", 0, part.section, 0, 0, at, size, number + 1, 0, 8, 24))
            segments.append(struct.pack("<IIQQQQQQ", 1, part.flags, at, at, at, size, size, 4096))
            at += (size + 4095) & ~4095
        file.truncate(at)
        file.seek(0)
        header = struct.pack(
            "<16sHHIQQQIHHHHHH",
            b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, 65536, 0, 64, 56, len(segments), 64, len(sections), 0,
        )  # fmt: skip
        file.write(header + b"".join(segments))
        file.seek(65536)
        file.write(b"".join(sections))
    return path


def names(path: Path) -> Path:
    """Names of symbols that are nearly those of rustls, in every way."""
    name = b"_R" + b"6rustls6client5tls12" * 67 + b"13ExpectTraffic" * 89 + b"5State" * 200
    text = b"".join(b"\0" + name + b"%03d" % number for number in range(1000)) + b"\0"
    return build(path, Part(b"", section=_SYMTAB), Part(text, section=_STRTAB))


def symbols(path: Path) -> Path:
    """Two million symbols that are asked for again and again."""
    known = [b"SSL_read", b"gnutls_record_recv", b"SSL_ImportFD", b"MessageEncrypter", b"encrypt_outgoing", b"s2n_recv"]
    known += [name.encode() for stack in STACKS if isinstance(stack, CLibrary) for name in stack.calls.names]
    text = b"\0" + b"\0".join(known) + b"\0"
    table = Part(text, section=_STRTAB, size=60 << 20)
    return build(
        path, Part(b"", section=_SYMTAB, size=60 << 20), table, Part(b"", section=_DYNSYM, size=60 << 20), table
    )


def sources(path: Path) -> Path:
    """The start of a path to rustls's source, without end."""
    return build(path, Part(b"\x90" * _CODE_BYTES, flags=5), Part(b"/rustls/src" * ((4 << 20) // 11)))


def addresses(path: Path) -> Path:
    """Code that names nothing but addresses of text that a signature looks for."""
    text = (b"a" * 900 + b"ssl/ssl_lib.c\0") * 64
    code = (b"\xb8" * 5 + b"\x48\x8d\x05\0\0\0\0") * ((4 << 20) // 12)
    return build(path, Part(code, flags=5), Part(text), Part(b"", size=300 << 20))


DEAR = (names, symbols, sources, addresses)
