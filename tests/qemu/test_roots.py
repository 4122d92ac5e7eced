"""Another processor's root: packages side by side, as Debian lays them out since its folders were merged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.qemu.debian import FetchError
from tests.qemu.roots import unpack


def package(folder: Path, name: str, files: dict[str, str]) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    for path, text in {"DEBIAN/control": control(name), **files}.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(text)
    subprocess.run(["dpkg-deb", "-b", folder / name, folder / f"{name}.deb"], check=True, capture_output=True)
    return folder / f"{name}.deb"


def control(name: str) -> str:
    return f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: nobody <nobody@localhost>\nDescription: x\n"


def test_old_and_new_names_of_a_folder_are_one(tmp_path: Path) -> None:
    """A package that still fills /bin does not replace the link to /usr/bin, where the others are."""
    masters = {f"usr/share/base-passwd/{name}.master": "root" for name in ("passwd", "group")}
    old = package(tmp_path, "old", {"bin/old": "1", "etc/hostname": "x", **masters})
    new = package(tmp_path, "new", {"usr/bin/new": "2"})
    tree = tmp_path / "tree"
    unpack([old, new], tree)
    assert (tree / "bin").is_symlink()
    assert (tree / "bin" / "new").read_text() == "2"
    assert (tree / "usr" / "bin" / "old").read_text() == "1"
    assert (tree / "etc" / "passwd").read_text() == "root"


def test_a_package_that_is_none_is_told(tmp_path: Path) -> None:
    """By its name."""
    (tmp_path / "broken.deb").write_bytes(b"!<arch>\nnothing")
    with pytest.raises(FetchError, match=r"broken\.deb"):
        unpack([tmp_path / "broken.deb"], tmp_path / "tree")
