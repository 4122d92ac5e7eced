"""
A running agent, looked at from a terminal: what each pod spends (``podtab top``), and which processes can be read (``coverage``).

Its pages are read by ``scrape``, as ``figures`` or ``reading``, drawn by ``view`` and ``coverage``, live in ``run``.
"""

from agent.top.run import top

__all__ = ["top"]
