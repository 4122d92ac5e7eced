"""Debian's kernels as packages, fetched by apt with lists and a cache of its own: nothing is installed on this machine."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A release's name → the kernel it is known for.
RELEASES = {"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12"}
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class FetchError(Exception):
    """A kernel can't be had; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelImage:
    """An unpacked package."""

    version: str
    """As ``uname -r`` says it."""
    image: Path
    modules: Path
    """The folder with modules.dep."""


def fetch(release: str, cache: Path) -> KernelImage:
    """The newest kernel of a release, from the mirror that this machine's apt uses; fetched once.

    Raises:
        FetchError: no apt, no mirror, no package.
    """
    folder = cache / release
    if not (folder / "unpacked").exists():
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {release} main\n")
        options = [
            f"Dir::Etc::sourcelist={folder}/sources.list",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State::lists={folder}/lists",
            f"Dir::Cache={folder}/cache",
            "APT::Sandbox::User=root",
        ]
        apt = [word for option in options for word in ("-o", option)]
        _run(["apt-get", *apt, "update", "-qq"])
        depends = _run(["apt-cache", *apt, "depends", "linux-image-amd64"])
        if not (found := re.search(r"Depends: (linux-image-\d\S+)", depends)):
            raise FetchError(f"{release} has no kernel for amd64: {depends.strip()}")
        _run(["apt-get", *apt, "download", "-qq", found[1]], folder)
        (package,) = folder.glob("*.deb")
        _run(["dpkg-deb", "-x", str(package), str(folder / "unpacking")])
        package.unlink()
        if not (folder / "unpacking" / "lib").exists():
            (folder / "unpacking" / "lib").symlink_to("usr/lib")
        _run(["depmod", "-b", str(folder / "unpacking"), found[1].removeprefix("linux-image-")])
        (folder / "unpacking").rename(folder / "unpacked")
    (image,) = (folder / "unpacked" / "boot").glob("vmlinuz-*")
    version = image.name.removeprefix("vmlinuz-")
    return KernelImage(version=version, image=image, modules=folder / "unpacked" / "lib" / "modules" / version)


def _mirror() -> str:
    sites = _run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()
    if not sites:
        raise FetchError("this machine's apt has no package lists: run apt-get update")
    return next((site for site in sites if "security" not in site), sites[0])


def _run(command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=600)
    except FileNotFoundError as error:
        raise FetchError(f"{error.filename} is needed") from None
    if done.returncode:
        raise FetchError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
