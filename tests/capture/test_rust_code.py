"""What rustls' code says about its structs: right in real builds, and nothing where the code says something else, or nothing at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.elf import Function
from agent.capture.rust_code import Shape, cipher_offset, received_tag, shape_of

FOLDER = Path(__file__).parent / "data" / "rustls"
BUILDS = sorted(path.stem for path in FOLDER.glob("*.json"))


class Build:
    """Functions of a real program; made as tests/capture/data/rustls/README.md says."""

    def __init__(self, name: str) -> None:
        data = json.loads((FOLDER / f"{name}.json").read_text())
        self.expected = data["expected"]
        self.functions = [
            Function(
                name=one["name"],
                address=one["address"],
                file_offset=one["file_offset"],
                code=bytes.fromhex(one["code"]),
            )
            for one in data["functions"]
        ]

    def named(self, *parts: str) -> list[Function]:
        return [one for one in self.functions if any(part in one.name for part in parts)]

    @property
    def encrypters(self) -> list[Function]:
        return self.named("MessageEncrypter")

    @property
    def handlers(self) -> list[Function]:
        return self.named("ExpectTraffic")

    @property
    def senders(self) -> list[Function]:
        return self.named("CommonState11", "11CommonState")

    @property
    def recorders(self) -> list[Function]:
        return self.named("encrypt_outgoing")


def function(code: str, address: int = 0x1000) -> Function:
    return Function(name="f", address=address, file_offset=address, code=bytes.fromhex(code))


@pytest.mark.parametrize("name", BUILDS)
def test_real_builds(name: str) -> None:
    """Each as objdump shows it."""
    build = Build(name)
    found = shape_of(build.encrypters)
    assert found is not None
    assert {
        "shape": found.name,
        "cipher_offset": cipher_offset(build.senders, build.recorders),
        "tag": received_tag(build.handlers[0]),
    } == build.expected
    assert {received_tag(one) for one in build.handlers} == {build.expected["tag"]}


def test_two_versions_in_one_program_are_refused() -> None:
    """Their structs differ, and a connection would be read by the other one's."""
    old, new = Build("0.21-release"), Build("0.23-release")
    assert shape_of([*old.encrypters, *new.encrypters]) is None
    assert {received_tag(one) for one in [*old.handlers, *new.handlers]} == {3, 5}


@pytest.mark.parametrize(
    ("code", "shape"),
    [
        ("488b4208 0fb64210 0fb64211 c3", Shape.SLICE),
        ("488b4210 488b4218 0fb64220 0fb64221 c3", Shape.SLICES),
        ("488b4208 0fb64210 0fb64211 0fb64220 c3", None),  # both
        ("488b4208 0fb64214 0fb64215 c3", None),  # the type elsewhere
        ("0fb64210 0fb64211 c3", None),  # no length
        ("ba00000000 488b4208 0fb64210 0fb64211 c3", None),  # of something else
        ("e800000000 488b4208 0fb64210 0fb64211 c3", None),  # behind a call, which may have changed it
        ("4889d3 e800000000 488b4308 0fb64310 0fb64311 c3", Shape.SLICE),  # kept across the call
        ("7403 4889f2 488b4208 0fb64210 0fb64211 c3", None),  # on one of two ways it is something else
        ("", None),
    ],
)
def test_shape(code: str, shape: Shape | None) -> None:
    """Only what is read of the message itself counts, whichever way leads there."""
    assert shape_of([function(code)]) is shape


SENDER = "53 4889fb 488b7310 488b4318 488d3c24 ff5018 5b c3"  # push rbx; mov rbx,rdi; mov rsi,[rbx+16]; mov rax,[rbx+24]; …; call [rax+24]


@pytest.mark.parametrize(
    ("code", "offset"),
    [
        (SENDER, 16),
        (SENDER.replace("488b4318", "488b4320"), None),  # its table is not beside it
        (SENDER.replace("ff5018", "ff5020"), None),  # another method
        (SENDER.replace("488b7310", "488b7610"), None),  # not out of the connection
        (SENDER.replace("488b7310", "488b7311").replace("488b4318", "488b4319"), None),  # no place of a pointer
        (SENDER.replace("4889fb", "4889f3"), None),  # another argument's
        ("c3", None),
    ],
)
def test_cipher_offset(code: str, offset: int | None) -> None:
    """The pointer and its table out of two words of the connection, and the first method called with it."""
    assert cipher_offset([function(code)], []) == offset


def test_senders_that_differ_are_refused() -> None:
    """One of them is of another struct."""
    other = SENDER.replace("488b7310", "488b7320").replace("488b4318", "488b4328")
    assert cipher_offset([function(SENDER), function(other)], []) is None


def test_a_part_of_the_connection_is_handed_on() -> None:
    """``lea rsi, [rdi+8]; call``: the offsets add up; by another function's call nothing is said."""
    recorder = function("53 488b4610 4c8b4618 4889c6 41ff5018 5b c3", address=0x2000)
    call = (0x2000 - (0x1000 + 4 + 5)).to_bytes(4, "little").hex()
    sender = function(f"488d7708 e8{call} c3")
    assert cipher_offset([sender], [recorder]) == 24
    assert cipher_offset([sender], [replace(recorder, address=0x3000)]) is None


# movabs rax, 2^63 + 5; cmp [rcx], rax; jne +14; lea rsi, [rcx+8]; mov rdi, [rdx]; call; ret
HANDLE = "48b80500000000000080 483901 750c 488d7108 488b3a e800000000 c3 e800000000 c3"


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        (HANDLE, 5),
        (HANDLE.replace("48b805", "48b803"), 3),
        (HANDLE.replace("48b805", "48b80d"), None),  # larger than the cookie can say
        (HANDLE.replace("488b3a", "488b3f"), None),  # no connection is looked up
        (HANDLE.replace("488b3a", "488b7a08"), None),  # not the context's first word
        (HANDLE.replace("488d7108", "488d7110"), None),  # not the bytes
        (HANDLE.replace("483901 750c", "483901 9090"), None),  # whatever the tag
        ("0fa2" + HANDLE, None),  # cpuid: what happens is not known
        ("ebfe", None),  # for ever
    ],
)
def test_received_tag(code: str, tag: int | None) -> None:
    """The one tag with which a connection is given the message's bytes."""
    assert received_tag(function(code)) == tag


@given(st.binary(max_size=120))
def test_no_code_is_too_strange(code: bytes) -> None:
    """A program is hostile: whatever stands there, it is read in bounded time, and nothing is raised."""
    one = Function(name="f", address=0, file_offset=0, code=code)
    shape_of([one])
    cipher_offset([one], [one])
    received_tag(one)


@given(st.data())
def test_a_damaged_build_is_never_half_understood(data: st.DataObject) -> None:
    """With one byte of ``handle`` changed, it still says the same, or nothing, or another tag that differs from its fellow's: no error."""
    build = Build("0.23-release")
    whole = build.handlers[0]
    at = data.draw(st.integers(0, min(len(whole.code), 200) - 1))
    byte = data.draw(st.integers(0, 255))
    found = received_tag(replace(whole, code=whole.code[:at] + bytes([byte]) + whole.code[at + 1 :]))
    assert found is None or 0 <= found < 8
