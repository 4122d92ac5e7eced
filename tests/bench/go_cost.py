"""
(1) and (2) for Go: what capture adds to a write and a read of ``crypto/tls``.

Beside it stands what others' probes cost there before they do anything: one at the first instruction of Write and Read and one at each ``ret``, empty.
"""

from __future__ import annotations

import subprocess
from contextlib import closing, nullcontext

from agent.capture.elf import ElfFile, Function
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.plan import Plan, Probe, Role, Site
from agent.capture.sites import Abilities
from agent.capture.stacks.go import READ, WRITE, Go
from agent.capture.x86 import returns
from agent.model import Judgement
from tests import golang
from tests.bench.capture_cost import RING_BYTES, SIZES, Measure, Times, Variant, attached, judged
from tests.bench.report import Result, median, progress

GOALS = {256: 0.15, 4096: 0.2, 16384: 0.25}


def run() -> list[Result]:
    progress("what capture adds to a write and a read of Go's TLS")
    # With symbols, so that where others probe can be looked up by name; the sites of ours are the same without.
    program = str(golang.build("pair"))
    with open(program, "rb") as file:
        elf = ElfFile(file)
        best, others = Go.plan(elf, Abilities(uretprobe_safe=True)), _others(elf)
    with (
        subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pair,
        closing(Kernel(KernelSettings(ring_bytes=RING_BYTES))) as kernel,
    ):
        try:
            measure = Measure(pair, kernel)
            variants: dict[str, Variant] = {
                "none": nullcontext,
                "empty": lambda: attached(kernel, program, best, empty=True),
                "capture": lambda: judged(measure, program, best, Judgement.WATCH),
                "others": lambda: attached(kernel, program, others, empty=True),
                "ignored": lambda: judged(measure, program, best, Judgement.IGNORE),
            }
            return _results(measure.all(variants))
        finally:
            pair.kill()


def _others(elf: ElfFile) -> Plan:
    functions = elf.functions((READ, WRITE))
    return Plan(sites=tuple(site for function in functions.values() for site in _ends(function)))


def _ends(function: Function) -> list[Site]:
    exits = returns(function.code, function.address)
    assert exits, f"{function.name} has no returns"
    return [
        Site(
            function=function.name,
            role=Role.GO_READ,  # of no meaning to an empty program
            probe=Probe.UPROBE,
            file_offset=at - function.address + function.file_offset,
            emulated=False,
        )
        for at in (function.address, *exits)
    ]


def _results(times: Times) -> list[Result]:
    def rounds(*variants: str, size: int) -> list[tuple[float, ...]]:
        return list(zip(*(times[variant, size] for variant in variants), strict=True))

    def added_us(variant: str, size: int) -> float:
        return median([with_it - without for with_it, without in rounds(variant, "none", size=size)]) / 1000

    results = [
        Result(
            name=f"Go: added by capture / by empty probes at entry and every ret, {size} B",
            value=median([(c - n) / (o - n) for c, o, n in rounds("capture", "others", "none", size=size)]),
            unit="×",
            goal=GOALS[size],
            raw={name: median(times[name, size]) for name in ("none", "empty", "capture", "others", "ignored")},
            note=f"adds {added_us('capture', size):.1f} µs instead of {added_us('others', size):.1f}; empty probes at ours {added_us('empty', size):.1f}",
        )
        for size in SIZES
    ]
    results.append(
        Result(
            name="Go: capture / empty probes at our sites, 256 B",
            value=median([c / e for c, e in rounds("capture", "empty", size=256)]),
            unit="×",
            goal=1.6,
        )
    )
    results.append(
        Result(
            name="Go: judged not ours / empty probes, 256 B",
            value=median([i / e for i, e in rounds("ignored", "empty", size=256)]),
            unit="×",
            # Two look-ups of the connection stand beside probes that are few, and a pair that takes a third of OpenSSL's time.
            goal=1.4,
            note=f"adds {added_us('ignored', 256):.1f} µs, empty probes {added_us('empty', 256):.1f}",
        )
    )
    return results


__all__ = ["run"]
