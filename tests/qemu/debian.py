"""Debian's packages by apt, with lists and a cache of its own: nothing is installed on this machine, and its apt is not touched."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class FetchError(Exception):
    """A package can't be had; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One release's packages for one processor, fetched once into ``folder``."""

    release: str
    architecture: str
    folder: Path

    def _apt(self) -> list[str]:
        options = [
            f"APT::Architecture={self.architecture}",
            f"APT::Architectures={self.architecture}",
            "APT::Install-Recommends=false",
            "APT::Sandbox::User=root",
            f"Dir::Etc::sourcelist={self.folder}/sources.list",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State::lists={self.folder}/lists",
            f"Dir::State::status={self.folder}/status",
            f"Dir::State::extended_states={self.folder}/extended_states",
            f"Dir::Cache={self.folder}/cache",
        ]
        return [word for option in options for word in ("-o", option)]

    def update(self) -> None:
        """The lists, from the mirror that this machine's apt uses."""
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()  # nothing is installed
        line = f"deb [signed-by={_KEYRING}] {_mirror()} {self.release} main\n"
        (self.folder / "sources.list").write_text(line)
        run(["apt-get", *self._apt(), "update", "-qq"])

    def newest_kernel(self) -> str:
        """The package's name."""
        depends = run(["apt-cache", *self._apt(), "depends", f"linux-image-{self.architecture}"])
        if not (found := re.search(r"Depends: (linux-image-\d\S+)", depends)):
            raise FetchError(f"{self.release} has no kernel for {self.architecture}: {depends.strip()}")
        return found[1]

    def download(self, package: str) -> Path:
        """That one file."""
        run(["apt-get", *self._apt(), "download", "-qq", package], self.folder)
        (path,) = self.folder.glob("*.deb")
        return path

    def download_with_needs(self, packages: Iterable[str]) -> list[Path]:
        """The packages, and all that they depend on."""
        run(["apt-get", *self._apt(), "autoclean", "-qq"])  # older versions that an earlier run left
        run(["apt-get", *self._apt(), "install", "--download-only", "-y", "-qq", *packages])
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelImage:
    """An unpacked package."""

    version: str
    """As ``uname -r`` says it."""
    architecture: str
    image: Path
    modules: Path
    """The folder with modules.dep."""


def fetch(archive: Archive) -> KernelImage:
    """The newest kernel of a release.

    Raises:
        FetchError: no apt, no mirror, no package.
    """
    folder = archive.folder
    if not (folder / "unpacked").exists():
        archive.update()
        name = archive.newest_kernel()
        package = archive.download(name)
        run(["dpkg-deb", "-x", str(package), str(folder / "unpacking")])
        package.unlink()
        if not (folder / "unpacking" / "lib").exists():
            (folder / "unpacking" / "lib").symlink_to("usr/lib")
        run(["depmod", "-b", str(folder / "unpacking"), name.removeprefix("linux-image-")])
        (folder / "unpacking").rename(folder / "unpacked")
    (image,) = (folder / "unpacked" / "boot").glob("vmlinuz-*")
    version = image.name.removeprefix("vmlinuz-")
    modules = folder / "unpacked" / "lib" / "modules" / version
    return KernelImage(version=version, architecture=archive.architecture, image=image, modules=modules)


def _mirror() -> str:
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()
    if not sites:
        raise FetchError("this machine's apt has no package lists: run apt-get update")
    return next((site for site in sites if "security" not in site), sites[0])


def run(command: list[str], folder: Path | None = None) -> str:
    """What a command says.

    Raises:
        FetchError: with what it complained of.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=600)
    except FileNotFoundError as error:
        raise FetchError(f"{error.filename} is needed") from None
    if done.returncode:
        raise FetchError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
