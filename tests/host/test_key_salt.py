"""Where the salt of keys' hashes comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.host.key_salt import KeySaltError, load


def test_without_a_file_it_is_another_one_each_time() -> None:
    """Hashes of two starts can't be joined."""
    assert len(load("")) == 32
    assert load("") != load("")


def test_a_file_is_the_same_everywhere(tmp_path: Path) -> None:
    """Line ends that an editor leaves do not count."""
    file = tmp_path / "salt"
    file.write_text("0123456789abcdef\n")
    assert load(str(file)) == b"0123456789abcdef"


@pytest.mark.parametrize("content", [b"", b"short", b"   short          \n", b"x" * 5000])
def test_what_is_no_salt_is_refused(tmp_path: Path, content: bytes) -> None:
    """With the file, the reason and the remedy, and nothing of what is in it."""
    file = tmp_path / "salt"
    file.write_bytes(content)
    with pytest.raises(KeySaltError, match=r"salt: a salt has 16 to 4096 bytes: make one with `openssl rand -hex 32`"):
        load(str(file))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A start without the salt that was asked for would give hashes that look right and can't be joined."""
    with pytest.raises(KeySaltError, match="can't be read: No such file"):
        load(str(tmp_path / "gone"))
