"""
rustls: reqwest, hyper, ureq, tonic and most other Rust programs that speak TLS.  No library, but code in each program.

What is probed are two kinds of function that stay functions in every build (``agent/capture/rust_code.py``), so neither inlining nor link-time
optimisation hides them.  They are found by their names, which Cargo leaves in a release build unless it is told to strip it; the layouts that the
compiler chose are read from their code.  One doubt, and the program is told as unreadable: docs/decisions/0018-rustls-where-its-tables-lead.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.capture.elf import ElfFile, Function
from agent.capture.plan import Plan, Probe, Role, Site
from agent.capture.rust_code import Shape, cipher_offset, received_tag, shape_of
from agent.capture.sites import Abilities
from agent.capture.x86 import is_emulated

# Rust has two ways to write a path as a symbol: the old one, and the one that rustc calls v0.  A part of a path counts where it first stands: with every
# place of every part, a name made of nothing but such parts costs a second.
_ENCRYPT = re.compile(
    r"_ZN\d+_\$LT\$.+\$u20\$as\$u20\$rustls\.\.(crypto\.\.)?cipher\.\.MessageEncrypter\$GT\$7encrypt17h[0-9a-f]{16}E"
    r"|_R.+16MessageEncrypter7encrypt"
)
_HANDLE = re.compile(
    r"_ZN\d+_\$LT\$rustls\.\.(client|server)\.\.tls1[23]\.\.ExpectTraffic\$u20\$as\$u20\$rustls\.\.\w+\.\.State\$LT\$.+\$6handle17h[0-9a-f]{16}E"
    r"|_R(?>.+?6rustls6(client|server)5tls1[23])(?>.+?13ExpectTraffic)(?>.+?5State).+6handle"
)
_SENDER = re.compile(
    r"(_ZN6rustls(4conn|12common_state)|_R(?>.+?_6rustls(4conn|12common_state)).*)11CommonState"
    r"(20send_appdata_encrypt|20send_single_fragment|16send_msg_encrypt|31enqueue_key_update_notification)(17h[0-9a-f]{16}E)?"
)
_RECORDER = re.compile(
    r"(_ZN6rustls12record_layer|_R(?>.+?_6rustls12record_layer).*)11RecordLayer16encrypt_outgoing(17h[0-9a-f]{16}E)?"
)
_SUFFIX = r"(\.llvm\.\d+)?"
# Never given anything to encrypt: it stands where no cipher is agreed yet.
_NONE_YET = "InvalidMessageEncrypter"
# A program has three to six ciphers, and up to four kinds of connection: client and server, TLS 1.2 and 1.3.
_MAX_FUNCTIONS = 64


class NotUnderstoodError(Exception):
    """Why a program's rustls is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The functions of one program, and how its structs are laid out."""

    encrypters: Sequence[Function]
    handlers: Sequence[Function]
    shape: Shape
    cipher_offset: int
    tag: int


class Rustls:
    """``Stack``."""

    name = "rustls"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        try:
            found = study(elf, abilities)
        except NotUnderstoodError:
            return Plan(sites=())  # told by ``stacks/noticed.py``, with the version
        role = Role.RUSTLS_SEND_SLICE if found.shape is Shape.SLICE else Role.RUSTLS_SEND_SLICES
        sites = [_site(function, role) for function in found.encrypters]
        sites += [_site(one, Role.RUSTLS_RECEIVE, found.cipher_offset | found.tag) for one in found.handlers]
        # A linker may fold functions of the same code into one, which is still called once.
        return Plan(sites=tuple({site.file_offset: site for site in sites}.values()))


def study(elf: ElfFile, abilities: Abilities) -> Found:
    """Raises NotUnderstoodError unless every function says the same, and says it beyond doubt."""
    encrypters = _named(elf, "MessageEncrypter", _ENCRYPT)
    handlers = _named(elf, "ExpectTraffic", _HANDLE)
    encrypters = [function for function in encrypters if _NONE_YET not in function.name]
    if not encrypters or not handlers:
        raise NotUnderstoodError("its functions have no names: the program was stripped")
    if elf.machine != "x64":
        raise NotUnderstoodError("only x86-64 code is understood")
    if not abilities.cookies:  # the layout comes with it
        raise NotUnderstoodError("it is read on kernels from 5.15 on")
    shape = shape_of(_in_time(elf, encrypters))
    if shape is None:
        raise NotUnderstoodError("how it lays out what is to be encrypted is not known")
    recorders = _named(elf, "encrypt_outgoing", _RECORDER)
    offset = cipher_offset(_in_time(elf, _named(elf, "CommonState", _SENDER)), _in_time(elf, recorders))
    if offset is None:
        raise NotUnderstoodError("where its connections have their cipher is not known")
    tags = {received_tag(function) for function in _in_time(elf, handlers)}
    tag = tags.pop() if len(tags) == 1 else None
    if tag is None:
        raise NotUnderstoodError("how it tells application data is not known")
    return Found(encrypters=encrypters, handlers=handlers, shape=shape, cipher_offset=offset, tag=tag)


def _named(elf: ElfFile, part: str, pattern: re.Pattern[str]) -> list[Function]:
    names = [name for name in elf.names_with(part) if re.fullmatch(f"(?:{pattern.pattern}){_SUFFIX}", name)]
    if len(names) > _MAX_FUNCTIONS:
        raise NotUnderstoodError("more functions have its names than it has")
    return list(elf.functions(names).values()) if names else []


def _in_time(elf: ElfFile, functions: Iterable[Function]) -> Iterator[Function]:
    """Some are read for half a second."""
    for function in functions:
        elf.in_time()
        yield function


def _site(function: Function, role: Role, layout: int = 0) -> Site:
    return Site(
        function=function.name,
        role=role,
        probe=Probe.UPROBE,
        file_offset=function.file_offset,
        emulated=is_emulated(function.code),
        stack_offset=layout,
        instruction="first",
    )
