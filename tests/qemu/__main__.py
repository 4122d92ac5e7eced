"""
``make test-kernels``: the kernel tests on Debian's 5.10, 6.1 and 6.12, and the table docs/kernels.md.

The kernels come from Debian's mirror by apt (nothing is installed), each boots once in a machine that is emulated in software.  It takes
some twenty minutes; nothing in it measures speed.  The exit status is 1 where a test failed or a guest did not come to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from tests.qemu.debian import RELEASES, FetchError, KernelImage, fetch
from tests.qemu.guest import Booted, boot
from tests.qemu.table import Outcome, page, read_outcomes

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "podtab" / "kernels"
RESULTS = ROOT / ".cache" / "kernels"
PAGE = ROOT / "docs" / "kernels.md"
# What a kernel can do differently: loading, links, reading each TLS stack, loss, the processes' life.  What runs above the ring is the
# same on every kernel.
TESTS = (
    "tests/kernel/test_tls_openssl.py",
    "tests/kernel/test_tls_gnutls.py",
    "tests/kernel/test_tls_nss.py",
    "tests/kernel/test_tls_go.py",
    "tests/kernel/test_tls_in_tls.py",
    "tests/kernel/test_plain.py",
    "tests/kernel/test_loss.py",
    "tests/kernel/test_targets.py",
    "tests/kernel/test_lifecycle.py",
)

stderr = Console(stderr=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make test-kernels", description=__doc__)
    parser.add_argument("--release", action="append", choices=RELEASES, help="only this one; may be repeated")
    parser.add_argument("--minutes", type=float, default=20, help="after these a guest is thrown away (default: 20)")
    parser.add_argument(
        "tests", nargs="*", default=list(TESTS), help="test files (default: all that depend on the kernel)"
    )
    asked = parser.parse_args(arguments)

    outcomes: dict[str, list[Outcome]] = {}
    for release in asked.release or RELEASES:
        try:
            kernel = fetch(release, CACHE)
        except FetchError as error:
            stderr.print(f"[red]{release}[/red]: {error}")
            return 1
        outcomes[kernel.version] = run(kernel, asked.tests, RESULTS / release, asked.minutes)
    if not asked.release:
        own = os.uname().release.partition("-")[0]
        outcomes[f"{own} (no emulation)"] = run_here(asked.tests, RESULTS / "here")
    text = page(outcomes)
    if asked.tests == list(TESTS) and not asked.release:
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return int(any(one.status in ("failed", "not run") for each in outcomes.values() for one in each))


PYTEST = (".venv/bin/python", "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "timeout=300")


def run(kernel: KernelImage, tests: list[str], results: Path, minutes: float) -> list[Outcome]:
    """Boots it; says on standard error how it went."""
    stderr.print(f"{kernel.version}: booting, {len(tests)} files")
    booted = boot(kernel, [*PYTEST, "--junitxml=/mnt/results/junit.xml", *tests], ROOT, results, minutes=minutes)
    found = read_outcomes(results / "junit.xml")
    told(booted, found)
    return found or [_not_run(test, "the guest did not come to its end") for test in tests]


def run_here(tests: list[str], results: Path) -> list[Outcome]:
    """The same on this machine's own kernel, as the column to compare with."""
    stderr.print(f"{os.uname().release}: here, {len(tests)} files")
    results.mkdir(parents=True, exist_ok=True)
    junit = results / "junit.xml"
    junit.unlink(missing_ok=True)
    subprocess.run([*PYTEST, f"--junitxml={junit}", *tests], cwd=ROOT, check=False, stdout=sys.stderr)
    return read_outcomes(junit) or [_not_run(test, "pytest did not come to its end") for test in tests]


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
