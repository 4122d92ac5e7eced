"""One boot: a kernel, a memory disk with the modules it needs, a root folder and the project's own as shares."""

from __future__ import annotations

import lzma
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.qemu.debian import KernelImage
from tests.qemu.roots import Root

INIT = Path(__file__).with_name("init")
# What the share of the root and the layer above it need; what these need in turn is in modules.dep.
_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_MEMORY_MIB = 5_120
_TELL_SECONDS = 60
# Of the command's output: pytest cuts the reason of a skipped test where its line ends.
_COLUMNS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """What a run in the guest left behind."""

    version: str
    status: int | None
    """Of the command; None where the guest never came to its end."""
    seconds: float
    output: str
    """Of the command, and where it has none, the console's end."""
    results: Path


# pauth-impdef: signing pointers the architecture's way costs more in emulation than all else.
_MACHINES = {
    "amd64": ("qemu-system-x86_64", "-cpu", "max"),
    "arm64": ("qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
}
_CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


def boot(
    kernel: KernelImage,
    root: Root,
    command: list[str],
    folder: Path,
    results: Path,
    *,
    seconds: float,
    told: Callable[[str], None] = lambda _: None,
) -> Booted:
    """Runs the command in ``folder`` of this machine, as root of the guest; files for the host go to /mnt/results.

    The guest is thrown away after ``seconds``.  Each minute ``told`` gets the last whole line of what the command says.
    """
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    environment = {**root.environment, "COLUMNS": str(_COLUMNS)}
    (results / "run").write_text(
        "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        + f"cd {shlex.quote(str(folder))} && exec {shlex.join(command)}\n"
    )
    (results / "folder").write_text(f"{folder}\n")
    with tempfile.TemporaryDirectory(prefix="podtab-guest-") as scratch:
        disk = memory_disk(kernel, root, Path(scratch))
        console, output = results / "console", results / "output"
        started = time.monotonic()
        with console.open("wb") as sink:
            guest = subprocess.Popen(
                [
                    *_MACHINES[kernel.architecture],
                    "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(_MEMORY_MIB),
                    "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
                    "-kernel", str(kernel.image), "-initrd", str(disk),
                    "-append", f"console={_CONSOLES[kernel.architecture]} quiet panic=-1 mitigations=off nokaslr",
                    "-device", "virtio-rng-pci",
                    "-virtfs", f"local,path={root.path},mount_tag=root,security_model=none,readonly=on,multidevs=remap",
                    "-virtfs", f"local,path={folder},mount_tag=project,security_model=none,readonly=on,multidevs=remap",
                    "-virtfs", f"local,path={results},mount_tag=results,security_model=none",
                ],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
            while guest.poll() is None:
                try:
                    guest.wait(_TELL_SECONDS)
                except subprocess.TimeoutExpired:
                    told(f"{kernel.version}: {_last_line(output)}")
                    if time.monotonic() - started > seconds:
                        guest.kill()
    status = results / "status"
    said = output if output.exists() and output.stat().st_size else console
    return Booted(
        version=kernel.version,
        status=int(status.read_text()) if status.exists() else None,
        seconds=time.monotonic() - started,
        output=said.read_text(errors="replace"),
        results=results,
    )


def lost_a_breakpoint(results: Path) -> bool:
    """
    Whether the guest's kernel ended at a breakpoint of its own.  While it changes its code it has breakpoints there, and waits for every processor before
    they go (Linux, arch/x86/kernel/alternative.c, text_poke_bp_batch); the emulator may deliver one after that, which no processor does.
    """
    console = results / "console"
    return console.exists() and b"Oops: int3:" in console.read_bytes()


def _last_line(output: Path) -> str:
    lines = output.read_text(errors="replace").rpartition("\n")[0].splitlines() if output.exists() else []
    return " ".join(lines[-1].split()) if lines else "nothing yet"


def memory_disk(kernel: KernelImage, root: Root, scratch: Path) -> Path:
    """busybox, the modules in the order in which they load, and ``init``, as a cpio archive."""
    tree = scratch / "tree"
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root.busybox, tree / "bin" / "busybox")
    for name in ("sh", "mount", "mkdir", "insmod", "sync", "poweroff", "ip", "chroot", "echo", "cat"):
        (tree / "bin" / name).symlink_to("busybox")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    order = load_order((kernel.modules / "modules.dep").read_text(), _MODULES)
    for path in order:
        data = (kernel.modules / path).read_bytes()
        (tree / "modules" / plain_name(path)).write_bytes(lzma.decompress(data) if path.endswith(".xz") else data)
    (tree / "modules" / "order").write_text("".join(plain_name(path) + "\n" for path in order))
    disk = scratch / "disk"
    listing = subprocess.run(["find", "."], cwd=tree, capture_output=True, check=True).stdout
    with disk.open("wb") as sink:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=tree, input=listing, stdout=sink, check=True,
                       stderr=subprocess.DEVNULL)  # fmt: skip
    return disk


def load_order(modules_dep: str, wanted: tuple[str, ...]) -> list[str]:
    """Paths of the wanted modules and what they need, each after what it needs; what is built in isn't named there."""
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in modules_dep.splitlines():
        path, _, rest = line.partition(":")
        needs[_module_name(path)] = path, rest.split()
    order: list[str] = []

    def add(name: str) -> None:
        if name not in needs or needs[name][0] in order:
            return
        path, others = needs[name]
        for other in reversed(others):
            add(_module_name(other))
        order.append(path)

    for name in wanted:
        add(name)
    return order


def plain_name(path: str) -> str:
    """The file's name once unpacked."""
    return Path(path).name.removesuffix(".xz")


def _module_name(path: str) -> str:
    return Path(path).name.split(".")[0].replace("-", "_")
