"""Signatures on programs without symbols: what they find is what the symbols said, whatever the compiler did; or they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.capture import match as module
from agent.capture.elf import ElfFile
from agent.capture.match import Match, TooLargeError, search
from agent.capture.signature import Signature, parse, shipped
from tests.capture import tiny

BORING = ("-DBORING", '-DFILE_NAME="/src/ssl/ssl_lib.cc"')


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs here are no larger than what they show."""
    monkeypatch.setattr(module, "MIN_CODE_BYTES", 0)


def searched(path: Path, signatures: tuple[Signature, ...] | None = None) -> list[Match]:
    with path.open("rb") as file:
        return search(ElfFile(file), shipped() if signatures is None else signatures)


def symbols(path: Path, names: Mapping[str, object]) -> dict[str, int]:
    with path.open("rb") as file:
        return {name: function.address for name, function in ElfFile(file).functions(list(names)).items()}


@pytest.mark.parametrize("options", [(), BORING, ("-DFLAGS", '-DVERSION="OpenSSL 3.5.1 1 Jul 2025"')], ids=str)
@pytest.mark.parametrize("way", tiny.WAYS)
def test_functions_are_found_where_symbols_said(tmp_path: Path, way: str, options: tuple[str, ...]) -> None:
    """Registers, frames, addresses, tables: none of it matters."""
    whole, bare = tiny.build(tmp_path, *tiny.WAYS[way], *options)
    (found,) = searched(bare)
    assert not found.reason, found.reason
    assert symbols(bare, found.functions) == {}
    assert {name: one.start for name, one in found.functions.items()} == symbols(whole, found.functions)


def test_peeking_is_not_reading(tmp_path: Path) -> None:
    """They call and raise the same; only one of them moves on."""
    whole, bare = tiny.build(tmp_path, "-O2", *BORING)
    (found,) = searched(bare)
    assert found.functions["SSL_read"].start != symbols(whole, {"SSL_peek": 0})["SSL_peek"]


def test_what_fits_twice_is_refused(tmp_path: Path) -> None:
    """The whole library, with the reason."""
    (found,) = searched(tiny.build(tmp_path, "-O2", "-DTWICE")[1])
    assert found.signature is None
    assert "SSL_shutdown fits 2 places" in found.reason


def test_what_fits_nowhere_is_refused(tmp_path: Path) -> None:
    """A program that has the file's name and none of the functions."""
    (found,) = searched(tiny.build(tmp_path, "-O2", *BORING, "-UFILE_NAME", '-DFILE_NAME="ssl/ssl_lib.c"')[1])
    assert found.signature is None
    assert "SSL_new fits 0 places" in found.reason


def test_a_version_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """Though every rule fits: the next release may have other arguments."""
    (found,) = searched(tiny.build(tmp_path, "-O2", '-DVERSION="OpenSSL 9.1.0 1 Jul 2031"')[1])
    assert (found.signature, found.version) == (None, (9, 1, 0))
    assert "other versions" in found.reason


def test_two_versions_in_one_program_are_refused(tmp_path: Path) -> None:
    """Nobody knows whose functions are found."""
    (found,) = searched(tiny.build(tmp_path, "-O2", '-DSECOND_VERSION="OpenSSL 3.1.0 1 Jul 2023"')[1])
    assert found.signature is None
    assert "two versions" in found.reason


@pytest.mark.parametrize("flags", [(), ("-DFLAGS",)], ids=str)
def test_without_a_version_the_arguments_decide(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Where the count goes is seen in the call, so a program that never asks for OpenSSL's version is read too."""
    (found,) = searched(tiny.build(tmp_path, "-O2", '-DVERSION="unsaid"', *flags)[1])
    assert found.signature is not None, found.reason
    counts = {rule.name: rule.count for rule in found.signature.functions}
    assert counts["ssl_write_internal"] == (5 if flags else 4)


def test_a_program_without_the_library_has_none(tmp_path: Path) -> None:
    """Not even a refusal."""
    assert searched(tiny.build(tmp_path, "-O2", '-DFILE_NAME="x/other.c"')[1]) == []


def test_patterns_of_bytes_find_their_functions(tmp_path: Path) -> None:
    """A user's signature, made from the same build; of another build it finds nothing."""
    whole, bare = tiny.build(tmp_path, "-O2")
    names = {"SSL_read": 0, "SSL_write": 0}
    text = "library: openssl\nsource: ssl/ssl_lib.c\nmade: by a test\nfunctions:\n"
    with whole.open("rb") as file:
        for name, function in ElfFile(file).functions(list(names)).items():
            text += f"  {name}: {{role: {name[4:]}, code: '{function.code[:24].hex()}'}}\n"
    signature = parse(text.encode())
    (found,) = searched(bare, (signature,))
    assert {name: one.start for name, one in found.functions.items()} == symbols(whole, names)
    (other,) = searched(tiny.build(tmp_path, "-O1")[1], (signature,))
    assert "fits 0 places" in other.reason


CLOSER = "library: openssl\nsource: ssl/ssl_lib.c\nmade: by a test\nfunctions:\n  SSL_read: {{role: read, names: [SSL_read]}}\n  SSL_write: {{role: write, names: [SSL_write]}}\n  ends: {{role: close, {}}}\n"


def test_what_may_be_missing_is_found_once_or_left_out(tmp_path: Path) -> None:
    """One of its patterns is enough; where it fits nowhere or twice the library is read without it, and without that word it is refused."""
    whole, bare = tiny.build(tmp_path, "-O2")
    places = symbols(whole, {"SSL_new": 0, "SSL_read": 0})
    with whole.open("rb") as file:
        codes = {name: one.code[:24].hex() for name, one in ElfFile(file).functions(list(places)).items()}
    wrong = "90" * 24
    one, none, twice = (
        f"['{wrong}', '{codes['SSL_new']}']",
        f"'{wrong}'",
        f"['{codes['SSL_new']}', '{codes['SSL_read']}']",
    )
    (found,) = searched(bare, (parse(CLOSER.format(f"optional: true, code: {one}").encode()),))
    assert found.functions["ends"].start == places["SSL_new"]
    for rule in (none, twice):
        (found,) = searched(bare, (parse(CLOSER.format(f"optional: true, code: {rule}").encode()),))
        assert set(found.functions) == {"SSL_read", "SSL_write"}
        (refused,) = searched(bare, (parse(CLOSER.format(f"code: {rule}").encode()),))
        assert refused.signature is None
        assert "ends fits" in refused.reason


def test_a_rule_with_a_name_and_a_pattern_wants_both(tmp_path: Path) -> None:
    """A probe in the wrong place would count other bytes."""
    whole, bare = tiny.build(tmp_path, "-O2")
    with whole.open("rb") as file:
        code = ElfFile(file).functions(["SSL_read"])["SSL_read"].code[:24].hex()
    text = "library: openssl\nsource: ssl/ssl_lib.c\nmade: by a test\nfunctions:\n  SSL_read: {{role: read, names: [SSL_read], code: '{}'}}\n  SSL_write: {{role: write, names: [SSL_write]}}\n"
    (found,) = searched(bare, (parse(text.format(code).encode()),))
    assert set(found.functions) == {"SSL_read", "SSL_write"}
    (other,) = searched(bare, (parse(text.format("90" * 24).encode()),))
    assert "SSL_read fits 0 places" in other.reason


def test_two_signatures_that_find_different_functions_are_refused(tmp_path: Path) -> None:
    """Two that agree are not."""
    text = "library: openssl\nsource: ssl/ssl_lib.c\nmade: by a test\nfunctions:\n  {}: {{role: read, names: [{}]}}\n  SSL_write: {{role: write, names: [SSL_write]}}\n"
    one, same, other = (parse(text.format(name, name).encode(), name) for name in ("SSL_read", "SSL_read", "SSL_new"))
    bare = tiny.build(tmp_path, "-O2")[1]
    assert searched(bare, (one, same))[0].signature is one
    assert "find different functions" in searched(bare, (one, other))[0].reason


def test_what_is_too_large_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is not the same as nothing found."""
    monkeypatch.setattr(module, "MAX_SEARCHED_BYTES", 100)
    with pytest.raises(TooLargeError):
        searched(tiny.build(tmp_path, "-O2")[1])


def test_small_code_has_no_tls_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read at all."""
    monkeypatch.setattr(module, "MIN_CODE_BYTES", 1 << 20)
    assert searched(tiny.build(tmp_path, "-O2")[1]) == []
