"""Where the recorded exchanges are: ``PODTAB_CORPUS``, else a folder beside the checkout; tests on them skip visibly without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("PODTAB_CORPUS", Path(__file__).parent.parent.parent / "shared" / "corpus"))
EXCHANGES = FOLDER / "exchanges.jsonl.gz"
SESSIONS = FOLDER / "websocket.jsonl.gz"

needs_corpus = [
    pytest.mark.corpus,
    pytest.mark.skipif(not EXCHANGES.exists(), reason=f"no recorded exchanges here (PODTAB_CORPUS): {EXCHANGES.name}"),
]
