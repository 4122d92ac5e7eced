"""
(1) and (2): what capture adds to a TLS write and read.

One process with both ends of a connection, so that no socket is measured.  All variants are measured in turn, again and again, in
one run; ratios are taken within a round, where the machine is the same, and their median is told.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.plan import Plan
from agent.capture.processes import mapped_code
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.model import Chunk, Judgement, Verdict
from tests.bench.native_tools import build, own_library, workspace
from tests.bench.report import Result, median, progress

ROUNDS = 15
SIZES = {256: 6_000, 4096: 3_000, 16384: 1_200}
"""Bytes of a write → pairs a round."""

RING_BYTES = 16 * 1024**2
"""The agent's default."""

LOOKED_FOR_SECONDS = 1.1
"""bpf/notes.h, NOTE_LIVES_NS; and a little."""

Times = dict[tuple[str, int], list[float]]
"""Variant and size → nanoseconds of a pair, a value a round."""

Variant = Callable[[], AbstractContextManager[object]]


def run() -> list[Result]:
    progress("what capture adds to a TLS write and read")
    with (
        workspace() as folder,
        _pair(folder) as pair,
        closing(Kernel(KernelSettings(ring_bytes=RING_BYTES))) as kernel,
    ):
        Measure(pair, kernel).nanoseconds(256, 10)  # it has started, and mapped its library
        library = next(one.open_paths[1] for one in mapped_code(pair.pid).files if one.named)
        with open(library, "rb") as file:
            elf = ElfFile(file)
            best = plan(elf, Abilities(uretprobe_safe=True))
            first = plan(elf, Abilities(uretprobe_safe=True, first_instructions=True))
        measure = Measure(pair, kernel)
        variants: dict[str, Variant] = {
            "none": nullcontext,
            "empty": lambda: attached(kernel, library, best, empty=True),
            "capture": lambda: judged(measure, library, best, Judgement.WATCH),
            "young": lambda: judged(measure, library, best, Judgement.WATCH, young=True),
            "first": lambda: judged(measure, library, first, Judgement.WATCH),
            "ignored": lambda: judged(measure, library, best, Judgement.IGNORE),
            "unselected": nullcontext,  # nobody selected uses the library: it carries no probe
        }
        times = measure.all(variants)
    return _results(times)


def _results(times: Times) -> list[Result]:
    def ratio(above: str, below: str, size: int, *, minus: str = "") -> float:
        rounds = zip(times[above, size], times[below, size], times[minus or below, size], strict=True)
        return median([(x - z) / (y - z) if minus else x / y for x, y, z in rounds])

    def added_us(variant: str, size: int) -> float:
        return median([x - z for x, z in zip(times[variant, size], times["none", size], strict=True)]) / 1000

    goals = {256: 0.10, 4096: 0.20, 16384: 0.20}
    results = [
        Result(
            name=f"capture / first-instruction capture, {size} B",
            value=ratio("capture", "first", size, minus="none"),
            unit="×",
            goal=goals[size],
            raw={name: median(times[name, size]) for name in ("none", "empty", "capture", "young", "first", "ignored")},
            note=f"adds {added_us('capture', size):.1f} µs instead of {added_us('first', size):.1f}; empty probes {added_us('empty', size):.1f};"
            f" while its packets are looked for {added_us('young', size):.1f}",
        )
        for size in SIZES
    ]
    results.append(
        Result(
            name="capture / empty probes at our sites, 256 B", value=ratio("capture", "empty", 256), unit="×", goal=1.6
        )
    )
    results += [
        Result(
            name=f"judged not ours / empty probes, {size} B", value=ratio("ignored", "empty", size), unit="×", goal=1.1
        )
        for size in SIZES
    ]
    results.append(
        Result(
            name="process not selected / no agent, 256 B",
            value=ratio("unselected", "none", 256),
            unit="×",
            goal=1.02,
            note="1.00 but for noise: there is no probe",
        )
    )
    return results


class Measure:
    def __init__(self, pair: subprocess.Popen[str], kernel: Kernel) -> None:
        self._pair = pair
        self.kernel = kernel

    def nanoseconds(self, size: int, pairs: int) -> float:
        assert self._pair.stdin
        assert self._pair.stdout
        self._pair.stdin.write(f"{size} {pairs}\n")
        self._pair.stdin.flush()
        return float(self._pair.stdout.readline())

    def drain(self) -> None:
        """Outside the measured time: the reader's own cost is another benchmark's."""
        self.kernel.poll()

    def all(self, variants: dict[str, Variant]) -> Times:
        seen: Times = {}
        for number in range(ROUNDS + 1):
            for name, variant in variants.items():
                with variant():
                    for size, pairs in SIZES.items():
                        # A ring that is full would make capture look cheap: a batch has to fit into it.
                        batch = min(pairs, RING_BYTES // (4 * (size + 512)))
                        times = []
                        for _ in range(max(1, pairs // batch)):
                            self.drain()
                            times.append(self.nanoseconds(size, batch))
                        if number:  # the first round warms up
                            seen.setdefault((name, size), []).append(median(times))
                    self.drain()
        dropped = self.kernel.counters()["records_dropped"]
        assert not dropped, f"{dropped} records were dropped: the figures would flatter capture"
        return seen


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
def attached(kernel: Kernel, library: str, chosen: Plan, *, empty: bool = False) -> Iterator[None]:
    link = kernel.attach_empty(library, chosen.sites) if empty else kernel.attach(library, chosen.sites)
    try:
        yield
    finally:
        link.close()


@contextmanager
def judged(
    measure: Measure, library: str, chosen: Plan, judgement: Judgement, *, young: bool = False
) -> Iterator[None]:
    """
    Both ends judged before anything is measured, as the agent does after their first bytes; and forgotten after.  Packets of a connection's
    first writes are looked for until its socket is known.  This one has none, so here that takes as long as it ever does: what is ``young``
    is measured in that time, all others after it.
    """
    kernel = measure.kernel
    with attached(kernel, library, chosen):
        measure.nanoseconds(256, 10)
        conns = {happening.conn for happening in kernel.poll() if isinstance(happening, Chunk)}
        assert len(conns) == 2, "two ends of one connection"
        for conn in conns:
            kernel.judge(Verdict(conn=conn, judgement=judgement, reason="benchmark"))
        measure.nanoseconds(256, 10)
        if not young:
            time.sleep(LOOKED_FOR_SECONDS)
            measure.nanoseconds(256, 10)
        kernel.poll()
        before = kernel.counters()["captured_bytes"]
        try:
            yield
            copied = kernel.counters()["captured_bytes"] - before
            assert bool(copied) == (judgement is Judgement.WATCH), (
                "an ignored connection is not copied, a watched one is"
            )
        finally:
            for conn in conns:
                kernel.forget(conn)


__all__ = ["run"]
