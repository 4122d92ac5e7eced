"""The files of the page, from the package: nothing is built, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from agent.sinks.http import Answer, Query, Route

_FILES = (
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/app.js", "app.js", "text/javascript; charset=utf-8"),
    ("/style.css", "style.css", "text/css; charset=utf-8"),
    ("/icon.svg", "icon.svg", "image/svg+xml"),
)


def routes() -> Mapping[str, Route]:
    """Read once, at start: a file that is missing stops it there."""
    folder = files("agent.sinks.web") / "page"
    return {path: _route((folder / name).read_bytes(), content_type) for path, name, content_type in _FILES}


def _route(body: bytes, content_type: str) -> Route:
    # Asked for again each time, so that a new version of the agent is a new page.
    answer = Answer(body=body, content_type=content_type, cache="no-cache")

    def route(query: Query) -> Answer:  # noqa: ARG001 - the same for every question
        return answer

    return route
