"""A real browser for the page's tests: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or ""


@contextmanager
def browsing(
    url: str, *, scheme: Literal["light", "dark"] = "light", javascript: bool = True, height: int = 900
) -> Iterator[Page]:
    """The page in a browser of its own, without network but for loopback."""
    with sync_playwright() as playwright:
        # No sandbox: the tests run as root, in containers, and the browser sees nothing but our own page.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = browser.new_context(
                color_scheme=scheme,
                java_script_enabled=javascript,
                viewport={"width": 1280, "height": height},
                timezone_id="UTC",
                # axe is put in by the test, which the page's own policy rightly forbids to anybody else.
                bypass_csp=False,
            )
            page = context.new_page()
            page.goto(url)
            yield page
        finally:
            browser.close()


def axe_source() -> str:
    """Deque's checks, from the package that brings them."""
    import axe_playwright_python

    (file,) = Path(str(axe_playwright_python.__path__[0])).rglob("axe*.js")
    return file.read_text(encoding="utf-8")
