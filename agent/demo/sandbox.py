"""
Where the demo plays: cgroups named like pods, and private network and mount namespaces in which the providers' host names lead
to the fake.

The namespaces belong to the fake provider's process and vanish with it; port 443 and /etc/hosts of the machine stay untouched.
Every process starts inside the demo's own cgroup folder, which is how the janitor finds them all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agent.demo import certificates
from agent.demo.janitor import PREFIX, sweep, sweep_orphans
from agent.model import PodtabError

# Joins the cgroup named first, then becomes the command: from its first instruction it is where it belongs.
_JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
_INSIDE = 'ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"'
# Only root writes there, so the predictable names can't be taken by anybody else.
RUN = Path("/run")
ELSEWHERE = "127.0.0.2"
"""Also the loopback interface's, with a port 443 of its own."""
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip", "openssl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    folder: Path
    """Work folder: certificates, books, pod list, logs."""
    group: Path
    """The demo's folder in the cgroup v2 hierarchy."""
    authority: Path
    certificate: Path
    """The servers' chain and key."""
    provider: subprocess.Popen[str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    """Whom to wait for at the end, or they stay as zombies."""

    @property
    def books(self) -> Path:
        return self.folder / "books.jsonl"

    def start(
        self,
        command: Sequence[str | Path],
        *,
        group: str,
        environment: Mapping[str, str],
        inside: bool,
        input: int | IO[str] = subprocess.DEVNULL,  # noqa: A002 - subprocess's word
        output: int | IO[str] = subprocess.DEVNULL,
        errors: int | IO[str] | None = None,
    ) -> subprocess.Popen[str]:
        """A process in the cgroup ``group``; ``inside`` the namespaces, where the providers' names lead to the fake."""
        enter = ("nsenter", f"--target={self.provider.pid}", "--mount", "--net", "--") if inside else ()
        process = _spawn(
            [*enter, *map(str, command)],
            group=self.group / group,
            environment=environment,
            input=input,
            output=output,
            errors=errors,
        )
        self.started.append(process)
        return process


@contextlib.contextmanager
def sandbox(in_cluster: str = "", elsewhere: Sequence[str] = ()) -> Iterator[Sandbox]:
    """
    ``in_cluster``: HOST:PORT at which the fake also answers in plain HTTP.  ``elsewhere``: hosts of another server, which the caller starts at ``ELSEWHERE``.
    """
    cgroups = _check()
    name = f"{PREFIX}{os.getpid()}"
    folder, group = RUN / name, cgroups / name
    sweep_orphans(cgroups, folder.parent)
    janitor = subprocess.Popen(
        [sys.executable, "-m", "agent.demo.janitor", group, folder], stdin=subprocess.PIPE, start_new_session=True
    )
    started: list[subprocess.Popen[str]] = []
    try:
        folder.mkdir(mode=0o700)
        _make(group)
        made = certificates.make(folder, [*certificates.HOSTS, *elsewhere])
        started.append(_spawn_provider(folder, group, made.server, in_cluster, elsewhere))
        _await_provider(started[0], folder)
        yield Sandbox(
            folder=folder,
            group=group,
            authority=made.authority,
            certificate=made.server,
            provider=started[0],
            started=started,
        )
    finally:
        # The janitor does the work; should someone have killed it, we do.
        assert janitor.stdin is not None
        janitor.stdin.close()
        janitor.wait()
        sweep(group, folder)
        for process in started:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _spawn_provider(
    folder: Path, group: Path, certificate: Path, in_cluster: str, elsewhere: Sequence[str]
) -> subprocess.Popen[str]:
    name, _, port = in_cluster.partition(":")
    hosts = folder / "hosts"
    lines = [f"127.0.0.1 localhost {' '.join(certificates.HOSTS)} {name}"]
    lines += [f"{ELSEWHERE} {host}" for host in elsewhere]
    hosts.write_text("\n".join([*lines, ""]), encoding="ascii")
    options = ("--certificate", certificate, "--books", folder / "books.jsonl", "--plain-port", port or "0")
    serve = ("-m", "agent.demo.provider", *options)
    command = ["unshare", "--mount", "--net", "--", "sh", "-c", _INSIDE, hosts, sys.executable, *serve]
    with (folder / "provider.log").open("w", encoding="utf-8") as log:
        return _spawn(
            list(map(str, command)),
            group=group / "provider",
            environment=dict(os.environ),
            output=subprocess.PIPE,
            errors=log,
        )


def _await_provider(provider: subprocess.Popen[str], folder: Path) -> None:
    assert provider.stdout is not None
    if not provider.stdout.readline().startswith("ready"):
        last = (folder / "provider.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise PodtabError(f"the fake provider could not start: {' '.join(last) or 'it said nothing'}")


def _spawn(
    command: Sequence[str],
    *,
    group: Path,
    environment: Mapping[str, str],
    input: int | IO[str] = subprocess.DEVNULL,  # noqa: A002
    output: int | IO[str],
    errors: int | IO[str] | None,
) -> subprocess.Popen[str]:
    _make(group)
    return subprocess.Popen(
        # Ends with us at once, even when we are killed; a Ctrl-C at the terminal is for us alone.
        ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", _JOIN, str(group), *command],
        env=environment,
        stdin=input,
        stdout=output,
        stderr=errors,
        text=True,
        start_new_session=True,
    )


def _make(group: Path) -> None:
    try:
        group.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PodtabError(f"{group}: the demo can't make this cgroup: {error.strerror}") from None


def cgroup_root(mounts: Path = Path("/proc/self/mounts")) -> Path:
    """Where the cgroup v2 hierarchy is mounted."""
    for line in mounts.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return Path(fields[1])
    raise PodtabError("the demo needs the cgroup v2 hierarchy: mount -t cgroup2 none /sys/fs/cgroup/unified")


def _check() -> Path:
    """All that must be there, before anything is started."""
    if os.geteuid() != 0:
        raise PodtabError("the demo needs root for probes, cgroups and namespaces: run sudo make demo")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise PodtabError(f"the demo needs {', '.join(missing)}: apt-get install util-linux iproute2 openssl")
    return cgroup_root()
