"""Libraries that are not where this machine's are: another mount namespace, another root, another C library, none at all any more."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.targets import Targets
from agent.model import CoverageReason
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.packages import MUSL
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel


@pytest.fixture
def run(server: tls.Server) -> Iterator[Callable[..., Client]]:
    """Clients that end with the test."""
    started: list[Client] = []

    def make(*command: str | Path) -> Client:
        started.append(Client(list(map(str, command)), server.port))
        return started[-1]

    yield make
    for client in started:
        client.kill()


def is_read(kernel: Kernel, follow: Callable[[set[int]], Targets], client: Client) -> str:
    """Found, probed, and every byte there; its path, as it is told."""
    client.say("open")
    targets = follow({client.pid})
    targets.started(client.pid, time.time_ns())
    (said,) = targets.coverage()
    assert said.reason is CoverageReason.READABLE, said.detail
    client.say("call 300 400")
    happened = tls.until(kernel, lambda all_: len(tls.streams(all_, client.pid)) == 2)
    found = sorted(tls.streams(happened, client.pid).values(), key=len)
    assert found == sorted([tls.request(300, 400), PATTERN[:400]], key=len)
    return said.library


def test_a_mount_namespace_of_its_own(
    kernel: Kernel,
    run: Callable[..., Client],
    follow: Callable[[set[int]], Targets],
    c_client: list[str],
    tmp_path: Path,
) -> None:
    """Another file stands at the path of this machine's library, and only that process sees it."""
    other = shutil.copy(tls.LIBSSL, tmp_path / "other")
    script = 'mount --make-rprivate / && mount --bind "$1" "$2" && exec "$3" "$4"'
    client = run("unshare", "--mount", "sh", "-c", script, "sh", other, tls.LIBSSL, *c_client)
    assert is_read(kernel, follow, client).endswith(tls.LIBSSL)
    inode = Path(f"/proc/{client.pid}/root{tls.LIBSSL}").stat().st_ino
    assert inode == Path(other).stat().st_ino != Path(tls.LIBSSL).stat().st_ino


def test_a_root_of_its_own(
    kernel: Kernel,
    run: Callable[..., Client],
    follow: Callable[[set[int]], Targets],
    c_client: list[str],
    tmp_path: Path,
) -> None:
    """A folder of this machine, whose paths lead nowhere outside; the kernel names it as we see it."""
    needed = subprocess.run(["ldd", *c_client], capture_output=True, text=True, check=True).stdout
    for path in [word for word in needed.split() if word.startswith("/")]:
        inside = tmp_path / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, inside)
    moved = next(tmp_path.rglob("libssl.so.3"))
    (tmp_path / "app").mkdir()
    moved.rename(tmp_path / "app" / "libssl.so.3")
    shutil.copy(c_client[0], tmp_path / "app" / "client")
    client = run("env", "LD_LIBRARY_PATH=/app", "chroot", tmp_path, "/app/client")
    assert is_read(kernel, follow, client) == str(tmp_path / "app" / "libssl.so.3")


@pytest.mark.parametrize("everything", [False, True])
def test_a_library_that_is_gone(
    kernel: Kernel,
    run: Callable[..., Client],
    follow: Callable[[set[int]], Targets],
    c_client: list[str],
    tmp_path: Path,
    everything: bool,
) -> None:
    """Deleted under a running process, with nothing in its place; or with its whole folder."""
    folder = tmp_path / "gone"
    folder.mkdir()
    shutil.copy(tls.LIBSSL, folder / "libssl.so.3")
    client = run("env", f"LD_LIBRARY_PATH={folder}", *c_client)
    client.say("open")
    if everything:
        shutil.rmtree(folder)
    else:
        (folder / "libssl.so.3").unlink()
    assert is_read(kernel, follow, client) == str(folder / "libssl.so.3")


def test_musl(
    kernel: Kernel, run: Callable[..., Client], follow: Callable[[set[int]], Targets], tmp_path: Path
) -> None:
    """As on Alpine: musl's loader, and a libssl that was built for it and is named otherwise."""
    if platform.machine() != "x86_64":
        pytest.skip("its libssl was built for x86-64")
    if not shutil.which("musl-gcc"):
        pytest.skip("needs musl-gcc (scripts/test installs it)")
    library = MUSL.file()
    (crypto,) = library.parent.glob("libcrypto-*.so.1.1")
    # musl-gcc looks into none of the system's folders, and Debian keeps OpenSSL's headers in two.
    headers = tmp_path / "include" / "openssl"
    shutil.copytree("/usr/include/openssl", headers)
    shutil.copytree("/usr/include/x86_64-linux-gnu/openssl", headers, dirs_exist_ok=True)
    shutil.copytree("/usr/include/linux", tmp_path / "include" / "linux")
    shutil.copytree("/usr/include/x86_64-linux-gnu/asm", tmp_path / "include" / "asm")
    shutil.copytree("/usr/include/asm-generic", tmp_path / "include" / "asm-generic")
    source, client = tls.FOLDER / "native" / "client.c", tmp_path / "client"
    link = [str(library), str(crypto), f"-Wl,-rpath,{library.parent}", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
    compiler = ["musl-gcc", "-O2", "-D_GNU_SOURCE", "-I", str(tmp_path / "include")]
    subprocess.run([*compiler, str(source), "-o", str(client), *link], check=True)
    assert "ld-musl" in client.read_bytes().decode("latin-1")
    assert is_read(kernel, follow, run(client)) == str(library)
