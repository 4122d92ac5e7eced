"""Signatures that the tool makes: they find the same build after strip, and refuse others."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capture import match
from agent.capture.elf import ElfFile
from agent.capture.signature import SignatureError, parse
from agent.signature import make as module
from agent.signature.make import make
from tests.capture import tiny


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "MIN_CODE_BYTES", 0)


def test_what_is_made_finds_the_stripped_build(tmp_path: Path) -> None:
    """Every function where its symbol said, by code that says fewer bytes than it has."""
    whole, bare = tiny.build(tmp_path, "-O2")
    made = make(whole, library="openssl", version="3.0.19", about="made by a test\nin two lines")
    signature = parse(made.text.encode())
    assert (signature.first, signature.last) == ((3, 0, 19), (3, 0, 20))
    assert "in two lines" in signature.made
    with bare.open("rb") as file:
        (found,) = match.search(ElfFile(file), (signature,))
    assert not found.reason
    with whole.open("rb") as file:
        said = ElfFile(file).functions(found.functions)
    assert {name: one.start for name, one in found.functions.items()} == {n: one.address for n, one in said.items()}
    assert {rule.role for rule in signature.functions} >= {"read", "write", "open", "close"}
    assert any(".." in code for rule in signature.functions for code in rule.code)


def test_boringssl_has_no_versions(tmp_path: Path) -> None:
    """So its signature has none either."""
    whole, bare = tiny.build(tmp_path, "-O2", "-DBORING", '-DFILE_NAME="/src/ssl/ssl_lib.cc"')
    signature = parse(make(whole, library="boringssl", version="2026-09").text.encode())
    assert not signature.version_text
    with bare.open("rb") as file:
        (found,) = match.search(ElfFile(file), (signature,))
    assert found.signature is signature


def test_alike_functions_are_told_apart_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that fits two is never written; what it lacks is said."""
    whole, _ = tiny.build(tmp_path, "-O2", "-DTWICE")
    monkeypatch.setattr(module, "_LENGTHS", (16,))
    made = make(whole, library="openssl", version="3.0.19")
    wanted = set(module.FUNCTIONS["openssl"])
    written = {rule.name for rule in parse(made.text.encode()).functions}
    told = {line.partition(":")[0] for line in made.left_out}
    with whole.open("rb") as file:
        there = set(ElfFile(file).functions(wanted))
    assert there - written - {"ssl_read_internal", "ssl_write_internal"} == told


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"library": "gnutls", "version": "3.0.19"}, "should be one of"),
        ({"library": "openssl", "version": "3.0"}, "three numbers"),
    ],
)
def test_what_can_not_be_made_is_told(tmp_path: Path, options: dict[str, str], reason: str) -> None:
    """One sentence."""
    whole, _ = tiny.build(tmp_path, "-O2")
    with pytest.raises(SignatureError, match=reason):
        make(whole, **options)


def test_a_binary_that_gives_none_is_told(tmp_path: Path) -> None:
    """Stripped, no binary, not there."""
    _, bare = tiny.build(tmp_path, "-O2")
    text = tmp_path / "text"
    text.write_text("x")
    for path, reason in ((bare, "no symbols"), (text, "not a 64-bit"), (tmp_path / "nowhere", "can't be read")):
        with pytest.raises(SignatureError, match=reason):
            make(path, library="openssl", version="3.0.19")
