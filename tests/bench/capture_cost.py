"""
(1) and (2): what capture adds to a TLS write and read.

One process with both ends of a connection, so that no socket is measured.  All variants are measured in turn, again and again,
in one run, and medians are compared: the machine may drift, the ratios don't.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.plan import Plan
from agent.capture.processes import mapped_tls_files
from agent.capture.sites import first_instruction_plan, plan
from agent.model import Chunk, Judgement, Verdict
from tests.bench.native_tools import build, own_library, workspace
from tests.bench.report import Result, median, progress

ROUNDS = 7
SIZES = {256: 20_000, 4096: 10_000, 16384: 4_000}
"""Bytes of a write → pairs a round."""

Variant = Callable[[], AbstractContextManager[object]]


def run() -> list[Result]:
    progress("what capture adds to a TLS write and read")
    with (
        workspace() as folder,
        _pair(folder) as pair,
        closing(Kernel(KernelSettings(ring_bytes=64 * 1024**2))) as kernel,
    ):
        _Measure(pair, kernel).nanoseconds(256, 10)  # it has started, and mapped its library
        library = next(one.open_paths[1] for one in mapped_tls_files(pair.pid) if not one.is_program)
        with open(library, "rb") as file:
            best, first = plan(ElfFile(file), uretprobe_safe=True), first_instruction_plan(ElfFile(file))
        measure = _Measure(pair, kernel)
        variants: dict[str, Variant] = {
            "none": nullcontext,
            "empty": lambda: _attached(kernel, library, best, empty=True),
            "capture": lambda: _attached(kernel, library, best),
            "first": lambda: _attached(kernel, library, first),
            "ignored": lambda: _ignored(measure, library, best),
            "unselected": nullcontext,  # nobody selected uses the library: it carries no probe
        }
        times = measure.all(variants)
    return _results(times)


def _results(times: dict[tuple[str, int], float]) -> list[Result]:
    def added(variant: str, size: int) -> float:
        return times[variant, size] - times["none", size]

    results = []
    goals = {256: 0.10, 4096: 0.20, 16384: 0.20}
    for size in SIZES:
        raw = {name: times[name, size] for name in ("none", "empty", "capture", "first", "ignored")}
        ratio = added("capture", size) / added("first", size)
        results.append(
            Result(
                name=f"capture / first-instruction capture, {size} B",
                value=ratio,
                unit="×",
                goal=goals[size],
                raw=raw,
                note=f"adds {added('capture', size) / 1000:.1f} µs instead of {added('first', size) / 1000:.1f}",
            )
        )
    results.append(
        Result(
            name="capture / empty probes at our sites, 256 B",
            value=times["capture", 256] / times["empty", 256],
            unit="×",
            goal=1.6,
            note=f"whole pair: {times['capture', 256] / 1000:.2f} µs against {times['empty', 256] / 1000:.2f}",
        )
    )
    results += [
        Result(
            name=f"judged not ours / empty probes, {size} B",
            value=times["ignored", size] / times["empty", size],
            unit="×",
            goal=1.1,
        )
        for size in SIZES
    ]
    results.append(
        Result(
            name="process not selected / no agent, 256 B",
            value=times["unselected", 256] / times["none", 256],
            unit="×",
            goal=1.02,
            note="1.00 but for noise: there is no probe",
        )
    )
    return results


class _Measure:
    def __init__(self, pair: subprocess.Popen[str], kernel: Kernel) -> None:
        self._pair = pair
        self._kernel = kernel

    def nanoseconds(self, size: int, pairs: int) -> float:
        assert self._pair.stdin
        assert self._pair.stdout
        self._pair.stdin.write(f"{size} {pairs}\n")
        self._pair.stdin.flush()
        return float(self._pair.stdout.readline())

    def drain(self) -> None:
        """Outside the measured time: the reader's own cost is another benchmark's."""
        self._kernel.poll()

    def all(self, variants: dict[str, Variant]) -> dict[tuple[str, int], float]:
        seen: dict[tuple[str, int], list[float]] = {}
        for number in range(ROUNDS + 1):
            for name, variant in variants.items():
                with variant():
                    for size, pairs in SIZES.items():
                        # A ring that is full would make capture look cheap: a batch has to fit into it.
                        batch = min(pairs, 32 * 1024**2 // (2 * (size + 512)))
                        for _ in range(max(1, pairs // batch)):
                            self.drain()
                            time = self.nanoseconds(size, batch)
                            if number:  # the first round warms up
                                seen.setdefault((name, size), []).append(time)
                    self.drain()
        dropped = self._kernel.counters()["records_dropped"]
        assert not dropped, f"{dropped} records were dropped: the figures would flatter capture"
        return {key: median(values) for key, values in seen.items()}


@contextmanager
def _pair(folder: Path) -> Iterator[subprocess.Popen[str]]:
    program = build("pair", folder)
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=own_library(folder)
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _attached(kernel: Kernel, library: str, chosen: Plan, *, empty: bool = False) -> Iterator[None]:
    link = kernel.attach_empty(library, chosen.sites) if empty else kernel.attach(library, chosen.sites)
    try:
        yield
    finally:
        link.close()


@contextmanager
def _ignored(measure: _Measure, library: str, chosen: Plan) -> Iterator[None]:
    """Both ends judged "not ours" before anything is measured, and no longer after."""
    kernel = measure._kernel
    with _attached(kernel, library, chosen):
        measure.nanoseconds(256, 10)
        conns = {happening.conn for happening in kernel.poll() if isinstance(happening, Chunk)}
        assert len(conns) == 2, "two ends of one connection"
        for conn in conns:
            kernel.judge(Verdict(conn=conn, judgement=Judgement.IGNORE, reason="not_http"))
        try:
            measure.nanoseconds(256, 10)
            before = kernel.counters()["captured_bytes"]
            yield
            assert kernel.counters()["captured_bytes"] == before, "nothing of an ignored connection is copied"
        finally:
            for conn in conns:
                kernel.forget(conn)


__all__ = ["run"]
