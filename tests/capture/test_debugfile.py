"""Symbols in a file of their own: found in the process's root by build id, and only if it is this build's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.capture.debugfile import with_symbols
from agent.capture.elf import ElfFile
from agent.capture.processes import FileId, Mapped
from tests.capture import tiny

NAMES = ("SSL_read", "ssl_read_internal")


@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, Path, Mapping[str, int]]:
    """A root with a stripped program at /opt/server; the file with its symbols, not yet in it; what they say."""
    root, debug = tmp_path / "root", tmp_path / "symbols"
    (root / "opt").mkdir(parents=True)
    whole, _ = tiny.build(tmp_path, "-O2", "-Wl,--build-id", strip=False)
    subprocess.run(["objcopy", "--only-keep-debug", whole, debug], check=True)
    link = f"--add-gnu-debuglink={debug}"
    subprocess.run(["objcopy", "--strip-all", link, whole, root / "opt" / "server"], check=True)
    with whole.open("rb") as file:
        return root, debug, {name: one.address for name, one in ElfFile(file).functions(NAMES).items()}


def found(root: Path) -> Mapping[str, int]:
    path = root / "opt" / "server"
    mapped = Mapped(
        file=FileId(device="0:1", inode=path.stat().st_ino),
        path="/opt/server",
        open_paths=("/nowhere", str(path)),
        is_program=True,
        named=False,
    )
    with path.open("rb") as file, with_symbols(mapped, ElfFile(file)) as elf:
        functions = elf.functions(NAMES)
        assert all(one.code == elf.read(one.file_offset, len(one.code)) for one in functions.values())
    return {name: one.address for name, one in functions.items()}


def by_build_id(root: Path) -> Path:
    with (root / "opt" / "server").open("rb") as file:
        identity = ElfFile(file).build_id()
    return root / f"usr/lib/debug/.build-id/{identity[:2]}/{identity[2:]}.debug"


@pytest.mark.parametrize("place", ["build-id", "opt/symbols", "opt/.debug/symbols", "usr/lib/debug/opt/symbols"])
def test_the_symbols_of_the_same_build_are_taken(image: tuple[Path, Path, Mapping[str, int]], place: str) -> None:
    """At each of the places where debuggers look; the code is the program's own."""
    root, debug, said = image
    assert found(root) == {}
    there = by_build_id(root) if place == "build-id" else root / place
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(debug, there)
    assert found(root) == said


def test_those_of_another_build_are_not(image: tuple[Path, Path, Mapping[str, int]], tmp_path: Path) -> None:
    """Its functions are elsewhere."""
    root, _, _ = image
    there = by_build_id(root)
    there.parent.mkdir(parents=True)
    shutil.copy(tiny.build(tmp_path, "-O1", "-Wl,--build-id", strip=False)[0], there)
    assert found(root) == {}


def test_what_is_no_file_is_not_waited_for(image: tuple[Path, Path, Mapping[str, int]]) -> None:
    """A pipe at the place, and a file that is no ELF file at the next one."""
    root, _, _ = image
    there = by_build_id(root)
    there.parent.mkdir(parents=True)
    subprocess.run(["mkfifo", there], check=True)
    (root / "opt" / "symbols").write_text("x")
    assert found(root) == {}
