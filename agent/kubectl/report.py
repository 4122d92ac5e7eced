"""What all commands end with: who did not answer, and what to do about it; as lines for people, as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from agent.kubectl.agents import Answers, Silent, T

PARTIAL = 3
"""Exit code: what was printed lacks somebody's figures, or counts something twice."""
# Where standard output is no terminal: wide enough for every column and long pod names.
_PIPE_WIDTH = 160
_NAMED = 5


def exit_code(answers: Answers[T]) -> int:
    return PARTIAL if answers.silent or answers.notes else 0


def console() -> Console:
    """Standard output, as it is now; plain when piped."""
    made = Console(highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def show(parts: Sequence[RenderableType], answers: Answers[T]) -> None:
    out = console()
    for part in parts:
        out.print(part)
    for line in missing(answers):
        out.print(Text(line, style="yellow"), soft_wrap=True)


def missing(answers: Answers[T]) -> list[str]:
    """One line a cause: a cluster of a thousand nodes has few of them."""
    lines = []
    if answers.silent:
        asked = len(answers.given) + len(answers.silent)
        lines.append(f" partial: {len(answers.silent)} of {asked} agents did not answer; what they know is not in it")
    causes: dict[tuple[str, str], list[Silent]] = {}
    for silent in answers.silent:
        # The remedy names a pod: the first one's stands for all.
        causes.setdefault((silent.reason, ""), []).append(silent)
    for (reason, _), silents in causes.items():
        nodes = ", ".join(silent.agent.node for silent in silents[:_NAMED])
        more = f" and {len(silents) - _NAMED} more" if len(silents) > _NAMED else ""
        first = silents[0]
        lines.append(f"   {nodes}{more}: {first.agent.namespace}/{first.agent.pod}: {reason} → {first.remedy}")
    return lines + [f" doubtful: {note}" for note in answers.notes]


def summary(answers: Answers[T]) -> Mapping[str, object]:
    """The same as JSON."""
    return {
        "partial": bool(answers.silent),
        "agents_answered": len(answers.given),
        "unanswered": [
            {
                "node": silent.agent.node,
                "namespace": silent.agent.namespace,
                "pod": silent.agent.pod,
                "reason": silent.reason,
                "remedy": silent.remedy,
            }
            for silent in answers.silent
        ],
        "notes": list(answers.notes),
    }


def write_json(document: Mapping[str, object]) -> None:
    """ASCII only, so that no name can move the cursor of a terminal."""
    sys.stdout.write(json.dumps(document) + "\n")


def sources(answers: Answers[T]) -> str:
    asked = len(answers.given) + len(answers.silent)
    return f"{len(answers.given)} of {asked} nodes" + (" (partial)" if answers.silent else "")
