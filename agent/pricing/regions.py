"""
Where a call was served, as far as prices care.

What the response says (Anthropic's ``inference_geo``) comes before the host's name.  "" is the provider's standard.
"""

from __future__ import annotations

import re

_STANDARD_GEOS = frozenset({"", "global", "not_available", "default"})
_OPENAI = re.compile(r"([a-z]{2,4})\.api\.openai\.com")
# europe-west4-aiplatform.googleapis.com, aiplatform.us.rep.googleapis.com; without a prefix it is the global endpoint.
_VERTEX = re.compile(r"(?:([a-z]+-[a-z]+\d+)-aiplatform|aiplatform\.([a-z0-9-]+)\.rep)\.googleapis\.com")
_BEDROCK = re.compile(r"bedrock[a-z-]*\.(us-gov-[a-z]+-\d)\.")


def region_of(provider: str, host: str, inference_geo: str) -> str:
    """The word that price entries use under ``region``."""
    geo = inference_geo.lower()
    if geo not in _STANDARD_GEOS:
        return geo
    if provider == "openai":
        found = _OPENAI.fullmatch(host)
        return found[1] if found else ""
    if provider == "gcp.vertex_ai":
        return "regional" if _VERTEX.fullmatch(host) else ""
    if provider == "aws.bedrock":
        found = _BEDROCK.search(host)
        return found[1] if found else ""
    return ""
