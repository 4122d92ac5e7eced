"""Stacks that are noticed: by a function that only they have, or by the paths in Rust's panics; nothing else is taken for one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.elf import ElfFile
from agent.capture.plan import Sign, Unreadable
from agent.capture.sites import Abilities
from agent.capture.stacks import rustls
from agent.capture.stacks.noticed import CRATES, GOOGLE_QUIC, KNOWN, Known, Noticed

CARGO = "/home/builder/.cargo/registry/src/index-0123456789abcdef"


def noticed(path: Path) -> tuple[Unreadable, ...]:
    with path.open("rb") as file:
        return Noticed.plan(ElfFile(file), Abilities(uretprobe_safe=True)).unreadable


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """A library with these functions and constants, as large as programs that have a TLS stack in them are."""

    def make(*texts: str, functions: tuple[str, ...] = (), code_bytes: int = 600_000, strip: bool = False) -> Path:
        source, path = tmp_path / "a.c", tmp_path / "a.so"
        lines = [f'__asm__(".text\\n.skip {code_bytes}, 0x90\\n");']
        lines += [f"void {name}(void) {{}}" for name in functions]
        # As Rust has them: one after the other, with no end between.
        joined = "".join(texts)
        lines += [f'const char texts[] = "{joined}";']
        source.write_text("\n".join(lines))
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", path, source], check=True)
        if strip:
            subprocess.run(["strip", "-s", path], check=True)
        return path

    return make


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize(
    ("path", "stack"),
    [
        (f"{CARGO}/rustls-0.23.46/src/conn.rs", "rustls 0.23.46"),
        ("vendor/rustls/src/client/hs.rs", "rustls"),
        ("/usr/share/cargo/registry/rustls-0.20.8/src/conn.rs", "rustls 0.20.8"),
        (f"{CARGO}/quiche-0.22.0/src/lib.rs", "quiche 0.22.0"),
    ],
)
def test_a_crate_is_known_by_its_sources(build: Callable[..., Path], path: str, stack: str, strip: bool) -> None:
    """With its version where the path says it; stripped or not."""
    [found] = noticed(build("src/main.rs", path, "called `Option::unwrap()`", strip=strip))
    assert found.stack == stack
    assert found.sign is Sign.PROGRAM
    assert found.remedy


def test_a_rustls_that_is_read_is_not_told(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sources are named in the program all the same."""
    path = build(f"{CARGO}/rustls-0.23.46/src/conn.rs")
    assert [one.stack for one in noticed(path)] == ["rustls 0.23.46"]
    monkeypatch.setattr(rustls, "study", lambda *_: None)
    assert noticed(path) == ()


def test_googles_quic_is_known_by_its_sources(build: Callable[..., Path]) -> None:
    """Envoy's, stripped: it logs where it is; told only with a sign of use, because every Envoy has it."""
    text = "external/com_github_google_quiche/quiche/quic/core/quic_session.cc"
    assert noticed(build("a", text, strip=True)) == (GOOGLE_QUIC,)
    assert GOOGLE_QUIC.sign is Sign.UDP


@pytest.mark.parametrize(
    "text",
    [
        f"{CARGO}/hyper-rustls-0.27.10/src/connector.rs",
        "features: rustls, native-tls",
        "see https://docs.rs/rustls-0.23.46",
        f"{CARGO}/rustls-native-certs-0.8.1/src/lib.rs",
    ],
)
def test_what_only_speaks_of_it_is_none(build: Callable[..., Path], text: str) -> None:
    """Its name alone, or a crate that is called nearly so, is no TLS code."""
    assert noticed(build(text)) == ()


def test_small_programs_are_not_searched(build: Callable[..., Path]) -> None:
    """No TLS stack is that small, and a node has thousands of files that are."""
    assert noticed(build(f"{CARGO}/rustls-0.23.46/src/conn.rs", code_bytes=1000)) == ()


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.told.stack)
def test_a_library_is_known_by_its_functions(build: Callable[..., Path], known: Known) -> None:
    """Where it needs a text besides, the function alone is none."""
    text = known.text.decode()
    for name in known.functions:
        assert noticed(build(text, functions=(name,), code_bytes=1000)) == (known.told,)
        if text:
            assert noticed(build("nothing", functions=(name,), code_bytes=1000)) == ()


def test_programs_without_any_are_none() -> None:
    """The interpreter that runs this."""
    assert noticed(Path(os.path.realpath(sys.executable))) == ()


def test_what_is_told_can_be_acted_on() -> None:
    """Each with a reason and a remedy; only what nothing but its users load is told without a sign of use."""
    told = [*(known.told for known in KNOWN), *CRATES.values(), GOOGLE_QUIC]
    assert all(one.detail and one.remedy for one in told)
    assert [one.stack for one in told if one.sign is Sign.PRESENT] == ["aioquic"]
