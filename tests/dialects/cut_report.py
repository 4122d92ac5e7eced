"""
``make corpus-cuts``: how sure the figures are of streams that were cut, and of streams that say nothing.

Every recorded stream is cut at every tenth; then every recorded answer that states its usage is read once more by dialects that are deaf to
it, so that estimates can be compared with the provider's own count.  Exits 1 when a cut stream raises, or calls itself reported with other
figures than the whole answer's, or when an estimate replaces a stated figure.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles

from agent.estimation.counting import ByCharacters, Tokenizer
from agent.host.tokenizer import Exact
from agent.model import Evidence, Usage
from agent.replay_exchange import Framing
from tests.corpus import EXCHANGES
from tests.dialects.test_cuts import answers, read
from tests.estimation.measured import Error, errors

_KINDS = ("input_tokens", "output_tokens")
_EXACT = Exact()


def main() -> int:
    if not EXCHANGES.exists():
        print(f"no recorded exchanges here: set PODTAB_CORPUS to the folder that has {EXCHANGES.name}")
        return 0
    wrong = _cuts()
    for name, tokenizer in (("OpenAI's encodings", _EXACT), ("characters by class", ByCharacters())):
        _estimates(name, tokenizer)
    print("\n".join(wrong))
    return 1 if wrong else 0


def _cuts() -> list[str]:
    evidence: Counter[Evidence] = Counter()
    spread: dict[tuple[Evidence, str], list[float]] = {}
    unknown: Counter[tuple[Evidence, str]] = Counter()
    wrong: list[str] = []
    streams = 0
    for name, sent, received, streaming in answers(Framing()):
        if not streaming:
            continue
        streams += 1
        whole = read(sent, (0, received)).call.reading
        for tenth in range(1, 10):
            piece = received[: len(received) * tenth // 10]
            stated = read(sent, (0, piece)).call.reading
            part = read(sent, (0, piece), tokenizer=_EXACT).call.reading
            evidence[part.evidence] += 1
            if part.evidence is Evidence.REPORTED and part.usage != whole.usage:
                wrong.append(f"{name} at {tenth}0 %: reported, and not the whole's figures")
            if stated.evidence is Evidence.REPORTED and part != stated:
                wrong.append(f"{name} at {tenth}0 %: an estimate stands where the provider said it all")
            for kind in _KINDS:
                _compare((part.evidence, kind), part.usage, whole.usage, spread, unknown)
    print(f"{streams} streams, each cut at 10 %, 20 % … 90 %: {evidence.total()} cut answers")
    for kind_of, number in evidence.most_common():
        print(f"  {kind_of.value:16}{number:6}  {number / evidence.total():6.1%}")
    print(
        "Relative error against the whole answer's figures (0 is exact, -1 is nothing of it; output that never came is missing by nature):"
    )
    for key in sorted(spread.keys() | unknown.keys()):
        shown = _percentiles(spread.get(key, []))
        print(f"  {key[0].value:16}{key[1]:16}{len(spread.get(key, [])):6} known  {shown}   {unknown[key]} not known")
    return wrong


def _compare(
    key: tuple[Evidence, str],
    part: Usage,
    whole: Usage,
    spread: dict[tuple[Evidence, str], list[float]],
    unknown: Counter[tuple[Evidence, str]],
) -> None:
    mine, theirs = getattr(part, key[1]), getattr(whole, key[1])
    if mine is None:
        unknown[key] += theirs is not None
    elif theirs:
        spread.setdefault(key, []).append((mine - theirs) / theirs)


def _estimates(name: str, tokenizer: Tokenizer) -> None:
    by_kind: dict[str, list[Error]] = {}
    for error in errors(tokenizer):
        by_kind.setdefault(error.kind, []).append(error)
    print(
        f"Estimates of whole answers by {name}, against what the provider stated; behind the kind: the error that an estimate claims"
    )
    for kind, found in sorted(by_kind.items()):
        relative = [error.relative for error in found]
        exact = sum(error.counted == error.stated for error in found) / len(found)
        total = sum(error.counted for error in found) / sum(error.stated for error in found) - 1
        ninth = quantiles([abs(share) for share in relative], n=10)[8]
        print(
            f"  {kind:14}{len(found):5}  exact {exact:4.0%}  median {median(relative):+.2f}  nine in ten within {ninth:.2f}  sum {total:+.1%}"
        )


def _percentiles(found: Sequence[float]) -> str:
    if len(found) < 2:
        return ""
    spread = quantiles(found, n=20)
    return "  ".join(f"p{5 * (at + 1)} {spread[at]:+.2f}" for at in (0, 4, 9, 14, 18))


if __name__ == "__main__":
    sys.exit(main())
