"""``python -m tests.sinks.web.pictures FOLDER`` draws the page as docs/page.md shows it: light, dark, and capture not in force."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tests.sinks.web.browser import browsing
from tests.sinks.web.node import feed, more, processes
from tests.sinks.web.sites import IN_FORCE, Made, serving

_POLLS = 8


def draw(folder: Path) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        with serving(Made(covered=processes(), started_at_ns=time.time_ns() - 4 * 3600 * 10**9)) as made:
            feed(made)
            with browsing(f"http://127.0.0.1:{made.port}/", scheme=scheme) as page:
                page.wait_for_selector("#spend-rows tr")
                for turn in range(_POLLS):
                    with page.expect_response("**/api/v1/coverage"):
                        more(made, turn)
                page.wait_for_timeout(200)
                page.screenshot(path=folder / f"page-{scheme}.png", clip={"x": 0, "y": 0, "width": 1280, "height": 900})
                last = page.locator("section").last.bounding_box()
                assert last is not None
                clip = {"x": 0, "y": last["y"] - 20, "width": 1280, "height": last["height"] + 40}
                page.screenshot(path=folder / f"page-coverage-{scheme}.png", full_page=True, clip=clip)  # type: ignore[arg-type]
    blind = Made(capture=replace(IN_FORCE, reason="/usr/lib/libssl.so.3: can't attach: needs CAP_BPF"))
    with serving(blind), browsing(f"http://127.0.0.1:{blind.port}/") as page:
        page.wait_for_selector("#banner:not([hidden])")
        page.screenshot(path=folder / "page-not-in-force.png")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
