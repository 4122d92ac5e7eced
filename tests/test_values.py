"""How values are made: what mypy is told of them, which no running code shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_mypy_refuses_to_change_a_value() -> None:
    """What stands for frozenness: ``value`` must stay a dataclass in mypy's eyes, ``replace`` and field types included."""
    changes = "from dataclasses import replace\nfrom agent.model import Peer\npeer = replace(Peer(address='', port=1), port=2)\npeer.port = 3\n"
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "-c", changes]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert told.stdout.splitlines()[:-1] == [
        '<string>:4: error: Property "port" defined in "Peer" is read-only  [misc]'
    ], told
