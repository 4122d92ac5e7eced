"""
``make test-kernels``: the kernel tests on Debian's 5.10, 6.1 and 6.12, on arm64 too, and the table docs/kernels.md.

Kernels, and for arm64 the root as well, come from Debian's mirror by apt (nothing is installed); each boots once in a machine that is emulated in
software, as many at a time as there are processors.  Nothing in it measures speed.  The exit status is 1 where a test failed or did not run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.qemu import roots
from tests.qemu.debian import Archive, FetchError, KernelImage, fetch
from tests.qemu.guest import Booted, boot, lost_a_breakpoint
from tests.qemu.table import Outcome, page, read_outcomes, read_progress

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "podtab" / "kernels"
RESULTS = roots.ROOT / ".cache" / "kernels"
PAGE = roots.ROOT / "docs" / "kernels.md"
# A guest's name → Debian's release, which is known for its kernel, and the processor.
GUESTS = {
    "5.10": ("bullseye", "amd64"),
    "6.1": ("bookworm", "amd64"),
    "6.12": ("trixie", "amd64"),
    "6.1-arm64": ("bookworm", "arm64"),
    "6.12-arm64": ("trixie", "arm64"),
}
# What a kernel can do differently: loading, links, reading each TLS stack, loss, the processes' life.  What runs above the ring is the
# same on every kernel.
TESTS = (
    # Its other test reads code, which is the same everywhere.
    "tests/kernel/test_limits.py::test_the_verifier_takes_them",
    "tests/kernel/test_egress.py",
    "tests/kernel/test_tls_openssl.py",
    "tests/kernel/test_tls_gnutls.py",
    "tests/kernel/test_tls_nss.py",
    "tests/kernel/test_tls_go.py",
    "tests/kernel/test_tls_rustls.py",
    "tests/kernel/test_tls_in_tls.py",
    "tests/kernel/test_one_call_one_event.py",
    "tests/kernel/test_plain.py",
    "tests/kernel/test_peer.py",
    "tests/kernel/test_hello.py",
    "tests/kernel/test_loss.py",
    "tests/kernel/test_targets.py",
    # Its other test is one of speed.
    "tests/kernel/test_mappings.py::test_every_mapping_of_code_is_told",
    "tests/kernel/test_mappings.py::test_whoever_maps_in_a_loop_costs_counted_loss",
    "tests/kernel/test_probes_come_back.py",
    "tests/kernel/test_lifecycle.py",
)

stderr = Console(stderr=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make test-kernels", description=__doc__)
    parser.add_argument("--guest", action="append", choices=GUESTS, help="only this one; may be repeated")
    parser.add_argument("--minutes", type=float, default=60, help="of all guests together; then they end (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="guests at a time (default: processors)")
    parser.add_argument(
        "tests", nargs="*", default=list(TESTS), help="test files (default: all that depend on the kernel)"
    )
    asked = parser.parse_args(arguments)

    guests = [prepare(name) for name in asked.guest or GUESTS]
    end = time.monotonic() + asked.minutes * 60
    # Arm64's take longest: begun first, nobody waits for one of them alone.
    order = sorted(guests, key=lambda guest: GUESTS[guest.name][1] != "arm64")
    with ThreadPoolExecutor(asked.jobs) as pool:
        # A guest that hangs takes its own share of the time and no other's.
        shares = [min(1, asked.jobs / waiting) for waiting in range(len(order), 0, -1)]
        runs = {
            guest.name: pool.submit(run, guest, asked.tests, end, share)
            for guest, share in zip(order, shares, strict=True)
        }
    outcomes = dict(runs[guest.name].result() for guest in guests)
    if not asked.guest:
        own = os.uname().release.partition("-")[0]
        outcomes[f"{own} (no emulation)"] = run_here(asked.tests, RESULTS / "here")
    text = page(outcomes)
    if asked.tests == list(TESTS) and not asked.guest:
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return int(any(one.status in ("failed", "not run") for each in outcomes.values() for one in each))


PYTEST = (
    *("-m", "pytest", "-v", "-p", "no:randomly", "-p", "no:cacheprovider"),
    *("-o", "timeout=300", "-o", "console_output_style=classic"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    name: str
    kernel: KernelImage | None = None
    root: roots.Root | None = None
    problem: str = ""


def prepare(name: str) -> Guest:
    """What is needed to boot it; where that can't be had, its column says so."""
    release, architecture = GUESTS[name]
    folder = CACHE / (release if architecture == "amd64" else f"{release}-{architecture}")
    try:
        kernel = fetch(Archive(release=release, architecture=architecture, folder=folder))
        root = roots.own() if architecture == "amd64" else roots.arm64(CACHE / "root-arm64")
    except FetchError as error:
        stderr.print(f"{name}: {error}", style="red")
        return Guest(name=name, problem="its packages could not be fetched")
    return Guest(name=name, kernel=kernel, root=root)


def run(guest: Guest, tests: list[str], end: float, share: float) -> tuple[str, list[Outcome]]:
    """Boots it, for a share of the time that is left; says on standard error how it went.  The kernel's version, and what came of each test."""
    kernel, root = guest.kernel, guest.root
    if kernel is None or root is None:
        return guest.name, [_not_run(test, guest.problem) for test in tests]
    if (seconds := (end - time.monotonic()) * share) <= 0:
        return kernel.version, [_not_run(test, "no time was left") for test in tests]
    stderr.print(f"{kernel.version}: booting, {len(tests)} files")
    results = RESULTS / guest.name
    command = [root.python, *PYTEST, "--junitxml=/mnt/results/junit.xml", *tests]
    booted = boot(kernel, root, command, roots.ROOT, results, seconds=seconds, told=plainly)
    if booted.status is None and lost_a_breakpoint(results):
        first = results.with_name(f"{guest.name}-first")
        shutil.rmtree(first, ignore_errors=True)
        results.rename(first)
        stderr.print(
            f"{kernel.version}: the emulator delivered a breakpoint too late, after {booted.seconds:.0f} s ({first}): once more"
        )
        booted = boot(kernel, root, command, roots.ROOT, results, seconds=seconds - booted.seconds, told=plainly)
    if not (found := read_outcomes(results / "junit.xml")):
        found = read_progress(booted.output)
        through = {one.file for one in found} - {one.file for one in found[-1:]}
        cut = dict.fromkeys(Path(test).stem for test in tests if Path(test).stem not in through)
        found += [_not_run(file, "the guest did not come to its end") for file in cut]
    told(booted, found)
    return kernel.version, found


def run_here(tests: list[str], results: Path) -> list[Outcome]:
    """The same on this machine's own kernel, as the column to compare with."""
    stderr.print(f"{os.uname().release}: here, {len(tests)} files")
    results.mkdir(parents=True, exist_ok=True)
    junit = results / "junit.xml"
    junit.unlink(missing_ok=True)
    command = [sys.executable, *PYTEST, f"--junitxml={junit}", *tests]
    subprocess.run(command, cwd=roots.ROOT, check=False, stdout=sys.stderr)
    return read_outcomes(junit) or [_not_run(test, "pytest did not come to its end") for test in tests]


def plainly(line: str) -> None:
    """The names of tests have brackets, which would be taken for colours."""
    stderr.print(line, markup=False, highlight=False, soft_wrap=True)


def _not_run(test: str, reason: str) -> Outcome:
    return Outcome(file=test, name="", status="not run", reason=reason)


def told(booted: Booted, found: list[Outcome]) -> None:
    counts = {status: sum(one.status == status for one in found) for status in ("passed", "failed", "skipped")}
    figures = ", ".join(f"{count} {status}" for status, count in counts.items())
    stderr.print(f"{booted.version}: {figures}, {booted.seconds:.0f} s")
    if booted.status != 0:
        stderr.print("\n".join(booted.output.splitlines()[-40:]), markup=False)
        stderr.print(f"whole output: {booted.results}")


if __name__ == "__main__":
    sys.exit(main())
