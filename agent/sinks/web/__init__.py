"""
The agent's page for people and its JSON for programs: this node alone, from memory, without Grafana.

``recent`` keeps the last calls, ``spend`` the exact sums per pod; ``api`` shows them.  Nothing here can show content or keys: ledger
entries hold neither.
"""

from agent.sinks.web.api import Capture, Identity
from agent.sinks.web.site import Site

__all__ = ["Capture", "Identity", "Site"]
