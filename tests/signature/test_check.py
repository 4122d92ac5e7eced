"""Checking signatures: what fits, whether symbols agree, and one line for what can't be tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capture import match
from agent.capture.signature import parse, shipped
from agent.signature.check import check
from tests.capture import tiny


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "MIN_CODE_BYTES", 0)


def test_agreement_with_symbols_is_said(tmp_path: Path) -> None:
    """And that there are none to agree with."""
    whole, bare = check(shipped(), tiny.build(tmp_path, "-O2"))
    assert whole.good
    assert bare.good
    assert sum("as its symbol says" in line for line in whole.lines) == 9
    assert sum("no symbol" in line for line in bare.lines) == 9


def test_disagreement_is_bad(tmp_path: Path) -> None:
    """A signature that calls SSL_new a read finds it under another name than the symbol's."""
    text = "library: openssl\nsource: ssl/ssl_lib.c\nmade: by a test\nfunctions:\n  SSL_read: {role: read, names: [SSL_new]}\n  SSL_write: {role: write, names: [SSL_write]}\n"
    (whole,) = check([parse(text.encode())], tiny.build(tmp_path, "-O2")[:1])
    assert not whole.good
    assert "its symbol says" in whole.lines[1]


def test_what_fits_not_or_can_not_be_tried_has_its_line(tmp_path: Path) -> None:
    """Nothing is passed over."""
    (tmp_path / "text").write_text("x")
    paths = [tmp_path / "text", tmp_path / "nowhere", tiny.build(tmp_path, "-O2", "-DTWICE")[1]]
    paths.append(tiny.build(tmp_path, "-O2", '-DFILE_NAME="x/other.c"')[1])
    told = list(check(shipped(), paths))
    assert not any(one.good for one in told)
    for one, words in zip(told, ("not a 64-bit", "can't be read", "fits 2 places", "none of these"), strict=True):
        assert words in one.lines[0]


def test_what_is_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as absent."""
    monkeypatch.setattr(match, "MAX_SEARCHED_BYTES", 1)
    (one,) = check(shipped(), tiny.build(tmp_path, "-O2")[:1])
    assert "larger" in one.lines[0]
