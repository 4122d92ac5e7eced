"""Files of prices and the commands about them: the shell around ``agent.pricing``, which reads nothing itself."""

from __future__ import annotations
