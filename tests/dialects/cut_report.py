"""
``make corpus-cuts``: every recorded stream cut at every tenth, and how far the figures of what remained are from the whole's.

Exits 1 when a cut stream raises, or calls itself reported with other figures than the whole answer's.
"""

from __future__ import annotations

import sys
from collections import Counter
from statistics import quantiles

from agent.model import Evidence, Usage
from agent.replay import Framing
from tests.corpus import EXCHANGES
from tests.dialects.test_cuts import answers, read

_KINDS = ("input_tokens", "output_tokens")


def main() -> int:
    if not EXCHANGES.exists():
        print(f"no recorded exchanges here: set PODTAB_CORPUS to the folder that has {EXCHANGES.name}")
        return 0
    evidence: Counter[Evidence] = Counter()
    errors: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    unknown: Counter[str] = Counter()
    wrong: list[str] = []
    streams = 0
    for name, sent, received, streaming in answers(Framing()):
        if not streaming:
            continue
        streams += 1
        whole = read(sent, (0, received)).call.reading
        for tenth in range(1, 10):
            part = read(sent, (0, received[: len(received) * tenth // 10])).call.reading
            evidence[part.evidence] += 1
            if part.evidence is Evidence.REPORTED and part.usage != whole.usage:
                wrong.append(f"{name} at {tenth}0 %: reported, and not the whole's figures")
            for kind in _KINDS:
                _compare(kind, part.usage, whole.usage, errors[kind], unknown)
    print(f"{streams} streams, each cut at 10 %, 20 % … 90 %: {evidence.total()} cut answers")
    for kind_of, number in evidence.most_common():
        print(f"  {kind_of.value:16}{number:6}  {number / evidence.total():6.1%}")
    print("Relative error of what is stated, by percentile (0 is exact, -1 is nothing of it):")
    for kind in _KINDS:
        found = errors[kind]
        spread = quantiles(found, n=20) if len(found) > 1 else [0.0] * 19
        shown = "  ".join(f"p{5 * (at + 1)} {spread[at]:+.2f}" for at in (0, 4, 9, 14, 18))
        print(f"  {kind:16}{len(found):6} stated  {shown}   {unknown[kind]} not stated")
    print("\n".join(wrong))
    return 1 if wrong else 0


def _compare(kind: str, part: Usage, whole: Usage, errors: list[float], unknown: Counter[str]) -> None:
    mine, theirs = getattr(part, kind), getattr(whole, kind)
    if mine is None:
        unknown[kind] += theirs is not None
    elif theirs:
        errors.append((mine - theirs) / theirs)


if __name__ == "__main__":
    sys.exit(main())
