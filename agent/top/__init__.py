"""``podtab top``: what each pod spends, read from the agent's own page (``scrape``), as ``figures``, drawn by ``view``, live in ``run``."""

from agent.top.run import top

__all__ = ["top"]
