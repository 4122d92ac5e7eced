"""Searches without symbols: right over the edges of windows, bounded, and one error on files that lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.capture import image as module
from agent.capture import match
from agent.capture.elf import ElfError, ElfFile
from agent.capture.image import Image
from agent.capture.match import TooLargeError, search
from agent.capture.signature import shipped
from tests.capture import tiny


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tiny.build(tmp_path_factory.mktemp("tiny"), "-O2")


@pytest.fixture
def elf(built: tuple[Path, Path]) -> Iterator[ElfFile]:
    with built[1].open("rb") as file:
        yield ElfFile(file)


def facts(elf: ElfFile) -> tuple[object, ...]:
    image = Image(elf)
    places = image.strings_with(b"ssl_lib.c")
    references = image.references(set(places))
    return (
        places,
        image.places_of(b"SSL_read"),
        references,
        image.functions_around(references),
        image.matches(elf.bytes_at(image.functions_around(references)[0].start, 3).hex()),
    )


@pytest.mark.parametrize("size", [2048 + 64, 3001, 4096])
def test_windows_change_nothing(elf: ElfFile, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """What lies across an edge is found as if there were none."""
    whole = facts(elf)
    monkeypatch.setattr(module, "WINDOW_BYTES", size)
    assert facts(elf) == whole


def test_a_string_is_found_whole_and_as_the_end_of_another(elf: ElfFile) -> None:
    """The path as the compiler wrote it."""
    assert set(Image(elf).strings_with(b"ssl/ssl_lib.c").values()) == {b"../ssl/ssl_lib.c"}
    (whole,) = Image(elf).places_of(b"../ssl/ssl_lib.c")
    assert Image(elf).places_of(b"ssl_lib.c") == {whole + 7}


@pytest.mark.parametrize("before", [b"\0", b"\x08\x06", b"\x08AB"], ids=repr)
@pytest.mark.parametrize("fixed", [False, True])
def test_a_string_may_follow_other_constants(tmp_path: Path, before: bytes, fixed: bool) -> None:
    """Not every one has a zero in front, and some have letters: then only the code says where it begins."""
    base, path = 0x10000, b"/a/ssl/ssl_lib.cc\0"
    begins = base + 16 + len(before)
    code = b"\xb9" + struct.pack("<I", begins) if fixed else b"\x48\x8d\x0d" + struct.pack("<i", begins - base - 7)
    content = code.ljust(16, b"\xc3") + before + path
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0
    ) + struct.pack("<IIQQQQQQ", 1, 5, 120, base, base, len(content), len(content), 4096)
    (tmp_path / "program").write_bytes(header + content)
    with (tmp_path / "program").open("rb") as file:
        image = Image(ElfFile(file))
        places = match.places_of(image.strings_with(b"ssl/ssl_lib.cc"), "ssl/ssl_lib.cc")
        assert image.references(places) == [base]


def test_every_reference_is_found(elf: ElfFile, built: tuple[Path, Path]) -> None:
    """As many functions as the source has with an error."""
    image = Image(elf)
    found = image.functions_around(image.references(set(image.strings_with(b"ssl/ssl_lib.c"))))
    names = ["ssl_read_internal", "ssl_write_internal", "SSL_read", "SSL_write", "SSL_shutdown", "SSL_CTX_free"]
    names += ["SSL_free", "SSL_CTX_new_ex", "SSL_new"]
    with built[0].open("rb") as file:
        said = ElfFile(file).functions(names)
    assert {one.start for one in found} == {function.address for function in said.values()}


def test_more_references_than_any_library_has_are_an_error(elf: ElfFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program made to cost time costs no more."""
    monkeypatch.setattr(module, "_MAX_REFERENCES", 3)
    image = Image(elf)
    with pytest.raises(ElfError, match="references"):
        image.references(set(image.strings_with(b"ssl/ssl_lib.c")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=12), st.integers(0, 20_000)
)
def test_a_damaged_program_is_one_error_or_a_verdict(
    built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: list[tuple[int, int]], cut: int
) -> None:
    """Bytes changed at random, and the rest missing."""
    monkeypatch.setattr(match, "MIN_CODE_BYTES", 0)
    data = bytearray(built[1].read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    path = tmp_path / "damaged"
    path.write_bytes(data[: max(cut, 64)])
    with path.open("rb") as file:
        try:
            for found in search(ElfFile(file), shipped()):
                assert (found.signature is None) == bool(found.reason)
        except (ElfError, TooLargeError) as error:
            assert "\n" not in str(error)
