"""What APIs say in a path: the model, and which of several methods."""

from __future__ import annotations

import re
from urllib.parse import unquote

from agent.dialects.values import word
from agent.model import RequestHead


def name_in_path(pattern: re.Pattern[str], request: RequestHead) -> str:
    """The name that is the pattern's first group, bounded like every other; "" where the path has none."""
    found = pattern.search(request.path)
    return word(unquote(found[1])) if found and found[1] else ""


def method_in_path(pattern: re.Pattern[str], request: RequestHead) -> str:
    """What a POST asks for: the pattern's second group, "" where it is something else."""
    found = pattern.search(request.path) if request.method == "POST" else None
    return found[2] if found else ""
