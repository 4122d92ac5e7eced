"""
``make corpus-matrix``: every recorded exchange in every framing, compared with what it should give.

Prints how many of the exchanges are exact, a row a content coding and a column a way of cutting, and of the WebSocket
sessions; exits 1 unless all are.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.model import Call, Unpriced
from agent.replay import replay, to_json
from agent.replay_exchange import Framing
from tests.corpus import EXCHANGES, FOLDER
from tests.dialects.framings import MATRIX
from tests.test_replay_session import FRAMINGS as SESSION_FRAMINGS
from tests.test_replay_session import scored


def no_price(_: Call) -> Unpriced:
    return Unpriced(reason="unknown_model")


def score(framing: Framing) -> tuple[str, list[str]]:
    """``1216 of 1216``, and the exchanges that are wrong."""
    with tempfile.TemporaryFile() as calls:
        for result in replay(EXCHANGES, no_price, framing):
            calls.write(to_json(result) + b"\n")
        calls.seek(0)
        judged = subprocess.run(
            [sys.executable, FOLDER / "score.py", EXCHANGES, "--show", "3"],
            stdin=calls,
            capture_output=True,
            text=True,
            check=False,
        )
    lines = judged.stdout.splitlines()
    found = re.match(r"(\d+ of \d+) exact", lines[-1]) if lines else None
    if found is None:
        raise SystemExit(f"{Path('score.py')} gave no figure: {judged.stderr.strip()}")
    return found[1], lines[:3] if judged.returncode else []


def main() -> int:
    if not EXCHANGES.exists():
        print(f"no recorded exchanges here: set PODTAB_CORPUS to the folder that has {EXCHANGES.name}")
        return 0
    columns = list(dict.fromkeys(how for _, how in MATRIX))
    print("".join(f"{name:>24}" for name in ("", *columns)))
    wrong: list[str] = []
    for coding in dict.fromkeys(coding for coding, _ in MATRIX):
        row = [f"{coding:>24}"]
        for how in columns:
            figure, complaints = score(MATRIX[coding, how])
            row.append(f"{figure:>24}")
            wrong += [f"{coding}, {how}: {line}" for line in complaints]
        print("".join(row), flush=True)
    for name, framing in SESSION_FRAMINGS.items():
        found = scored(framing)
        exact = sum(not complaints for complaints in found.values())
        print(f"WebSocket sessions, {name}: {exact} of {len(found)}")
        wrong += [f"{one}: {', '.join(complaints)}" for one, complaints in found.items() if complaints]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
