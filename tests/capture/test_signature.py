"""Signature files: ours are whole, and one that makes no sense is refused with its place and reason."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.signature import FOLDER, SignatureError, load, parse, read, shipped

WHOLE = """
library: openssl
source: ssl/ssl_lib.c
version_text: 'OpenSSL (\\d+)\\.(\\d+)'
versions: ["3.0", "3.3"]
made: by a test
functions:
  helper: {names: [helper]}
  SSL_read: {role: read, count: 4, passes: {3: [66]}, calls: [helper], writes: true, pointer_from: {helper: 4}}
  SSL_write: {role: write, code: "554889e5........53504889fbc3c3c3"}
  SSL_free: {role: close, optional: true, code: ["000000000000000000000000", "0102030405060708090a0b0c0d0e0f10"]}
"""


def test_ours_are_read_and_say_how_they_were_made() -> None:
    """Each for a library and versions of its own."""
    assert {one.library for one in shipped()} == {"openssl", "boringssl"}
    assert len(list(FOLDER.iterdir())) == len(shipped())
    assert all("Checked against symbols" in one.made for one in shipped())
    spans = sorted((one.first, one.last) for one in shipped() if one.version_text)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_a_whole_file_is_read() -> None:
    """Every key."""
    signature = parse(WHOLE.encode(), "a/b.yaml")
    assert (signature.name, signature.library, signature.first, signature.last) == ("b", "openssl", (3, 0), (3, 3))
    helper, reads, writes, ends = signature.functions
    assert (helper.role, reads.role, reads.count, reads.calls, reads.writes) == ("", "read", 4, ("helper",), True)
    assert reads.passes == {3: {66}}
    assert writes.begins(bytes.fromhex("554889e5 0a0a0a0a 53504889fbc3c3c3"))
    assert not writes.begins(bytes.fromhex("554889e5 0a0a0a0a 53504889fcc3c3c3"))
    assert ends.begins(bytes(12) + b"\1")
    assert ends.begins(bytes(range(1, 17)))
    assert not ends.begins(bytes(range(16)))
    assert (writes.length, ends.length, ends.optional, writes.optional) == (16, 16, True, False)
    assert signature.covers((3, 2, 9))
    assert not signature.covers((3, 3, 0))


BROKEN = {
    "no YAML": ("library: openssl", "library: [", "not YAML"),
    "no mapping": (WHOLE, "- a\n", "should be a mapping"),
    "an unknown key": ("made:", "maid:", "'maid'"),
    "an unknown key of a function": ("writes: true", "wrotes: true", "SSL_read"),
    "no reader": ("role: read, ", "", "role read"),
    "a role that is none": ("role: read", "role: listen", "role should be"),
    "a count elsewhere": ("count: 4", "count: 3", "count should be"),
    "a function that is not above": ("calls: [helper]", "calls: [SSL_write]", "above"),
    "a list of lists": ("calls: [helper]", "calls: [[helper]]", "above"),
    "a pointer from nobody": ("{helper: 4}", "{nobody: 4}", "pointer_from"),
    "text for a number": ("{3: [66]}", "{3: [x]}", "passes"),
    "an argument beyond registers": ("{3: [66]}", "{9: [66]}", "passes"),
    "a flag that is text": ("writes: true", "writes: very", "true or false"),
    "too few bytes": ('"554889e5........53504889fbc3c3c3"', '"554889e5........"', "by chance"),
    "half a byte": ('"554889e5........53504889fbc3c3c3"', '"554889e5........53504889fbc3c3c"', "hexadecimal"),
    "too few bytes in one of two": ('"000000000000000000000000"', '"0000000000000000000000.."', "by chance"),
    "a reader that may be missing": ("role: read, ", "role: read, optional: true, ", "half a connection"),
    "one that leans on what may be missing": ("{names: [helper]}", "{names: [helper], optional: true}", "above"),
    "a choice that is text": ("optional: true", "optional: perhaps", "true or false"),
    "a function that says nothing": ("{names: [helper]}", "{locks: true}", "says nothing"),
    "an expression that is none": ("(\\d+)\\.(\\d+)", "(\\d+", "regular expression"),
    "a version without parts": ("(\\d+)\\.(\\d+)", "3", "groups"),
    "versions without text": ("version_text", "#", "both or none"),
    "versions that are none": ('["3.0", "3.3"]', '["3.0"]', "versions: should be"),
    "no source": ("source: ssl/ssl_lib.c", "source: 3", "source"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_makes_no_sense_is_refused_with_its_place(name: str) -> None:
    """As a whole: half a signature would find half a library."""
    old, new, reason = BROKEN[name]
    assert old in WHOLE
    with pytest.raises(SignatureError) as error:
        parse(WHOLE.replace(old, new).encode(), "b.yaml")
    assert str(error.value).startswith("b.yaml: ")
    assert reason in str(error.value)


def test_a_folder_is_read_by_name_and_a_missing_one_is_told(tmp_path: Path) -> None:
    """Other files in it are nobody's business."""
    (tmp_path / "b.yaml").write_text(WHOLE)
    (tmp_path / "a.yml").write_text(WHOLE)
    (tmp_path / "README").write_text("x")
    assert [one.name for one in load(tmp_path)] == ["a", "b"]
    with pytest.raises(SignatureError, match="can't be read"):
        list(load(tmp_path / "nowhere"))
    (tmp_path / "b.yaml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(SignatureError, match="longer"):
        read(tmp_path / "b.yaml")


@given(st.text(max_size=200))
def test_noise_is_one_error(text: str) -> None:
    """Whatever YAML makes of it."""
    with pytest.raises(SignatureError):
        parse(text.encode())


@given(st.integers(0, len(WHOLE)), st.text(max_size=5), st.integers(0, 8))
def test_a_damaged_file_is_one_error_or_a_signature(at: int, text: str, gone: int) -> None:
    """Never anything else."""
    try:
        parse((WHOLE[:at] + text + WHOLE[at + gone :]).encode())
    except SignatureError as error:
        assert str(error).startswith("signature: ")
