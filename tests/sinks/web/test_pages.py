"""The page: its files over HTTP, and what a person gets of it in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from agent.model import Evidence, Outcome, Usage
from agent.sinks.web import pages
from tests.pricing.calls import call
from tests.sinks.entries import entry
from tests.sinks.web.browser import CHROMIUM, axe_source, browsing
from tests.sinks.web.node import feed, processes
from tests.sinks.web.sites import IN_FORCE, Made, covered, serving

browser = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed (apt install chromium)")
ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def made() -> Iterator[Made]:
    with serving(Made()) as one:
        yield one


def url(made: Made) -> str:
    return f"http://127.0.0.1:{made.port}/"


def test_the_files_are_served(made: Made) -> None:
    """With the types that nosniff insists on; everything that the page names is there."""
    status, headers, body = made.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="([a-z.]+\.(?:js|css|svg))"', body.decode())
    assert sorted(named) == ["app.js", "icon.svg", "style.css"]
    for name in named:
        assert made.get(f"/{name}")[0] == 200
    assert set(pages.routes()) == {"/", *(f"/{name}" for name in named)}
    assert made.get("/../site.py")[0] == 404


def test_nothing_comes_from_elsewhere(made: Made) -> None:
    """No external resource, no inline script or style that the policy would have to allow, no markup from texts."""
    for path in ("/", "/app.js", "/style.css"):
        text = made.get(path)[2].decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.|@import|style=|\son[a-z]+=", text), path
    script = made.get("/app.js")[2].decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser|setHTML", script)


@browser
def test_a_node_is_shown(made: Made) -> None:
    """Sums, pods dearest first, recent calls with their doubts, processes that need somebody first."""
    made.covered = processes()
    feed(made)
    with browsing(url(made)) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.wait_for_selector("#coverage-rows tr")
        costs = page.locator("#spend-rows tr").all_inner_texts()
        assert len(costs) == 5
        assert costs[-1].startswith("night-report")
        assert "not known" in costs[-1]
        assert page.locator("#cost").inner_text().startswith("≥ $")
        assert page.locator("#call-rows tr").count() == 43
        assert "rate limited (429)" in page.locator("#call-rows").inner_text()
        first = page.locator("#coverage-rows tr").first.inner_text()
        assert "cannot decrypt" in first
        assert "report the library's build" in first
        assert page.locator("#coverage-sum").inner_text() == "2 of 5 processes that use TLS can be read."
        assert page.locator("#banner").is_hidden()
        assert errors == []


@browser
def test_what_was_not_said_is_not_0(made: Made) -> None:
    """Tokens of calls that told no usage are a dash; those of a refused one, which used none, are 0."""
    refused = call(usage=Usage(), evidence=Evidence.NOT_APPLICABLE, outcome=Outcome.CLIENT_ERROR)
    made.site.accept(entry("silent", call(usage=Usage(), evidence=Evidence.ABSENT)))
    made.site.accept(entry("refused", refused))
    made.site.accept(entry("plain"))
    with browsing(url(made)) as page:
        page.wait_for_selector("#call-rows tr")
        for table, who, tokens in (("spend", "th", 6), ("call", "td:nth-child(2)", 5)):
            shown = {
                row.locator(who).first.inner_text().split()[0]: row.locator("td").nth(tokens - 1).inner_text()
                for row in page.locator(f"#{table}-rows tr").all()
            }
            assert shown == {"silent": "–", "refused": "0", "plain": "1,200"}, table


@browser
def test_a_fresh_node_explains_its_emptiness(made: Made) -> None:
    """No tables without rows: a sentence that says when there will be some."""
    with browsing(url(made)) as page:
        page.wait_for_selector("#spend-empty:not([hidden])")
        assert "No calls to a model have been seen" in page.locator("#spend-empty").inner_text()
        assert page.locator("#coverage-empty").is_visible()
        assert page.locator("table:visible").count() == 0


@browser
def test_capture_that_is_not_in_force_is_loud(made: Made) -> None:
    """A banner that a screen reader speaks, with the reason; it goes when capture is back."""
    made.capture = replace(IN_FORCE, reason="needs CAP_BPF")
    with browsing(url(made)) as page:
        page.wait_for_selector("#banner.bad")
        assert "not being counted. needs CAP_BPF" in page.locator("#banner").inner_text()
        assert page.locator("#banner").get_attribute("aria-live") == "polite"
        assert page.locator("#cost").inner_text() == "not known"
        made.capture = IN_FORCE
        page.wait_for_selector("#banner", state="hidden", timeout=15_000)


@browser
def test_names_from_pods_stay_text(made: Made) -> None:
    """Markup in every text that a pod can choose is shown as it was written, and does nothing."""
    one = call(served=ATTACK, requested=ATTACK)
    one = replace(one, request_id=ATTACK, reading=replace(one.reading, tool_calls=(ATTACK,)))
    made.site.accept(entry(ATTACK, one, name=ATTACK, team=ATTACK, namespace=ATTACK))
    made.covered = [covered(name=ATTACK, library=ATTACK, detail=ATTACK)]
    with browsing(url(made)) as page:
        page.wait_for_selector("#coverage-rows tr")
        page.wait_for_timeout(200)
        assert page.locator("main img, main script").count() == 0
        assert "owned" not in page.title()
        assert "<img src=x" in page.locator("#spend-rows").inner_text()
        assert "<script>" in page.locator("#call-rows").inner_text()


@browser
def test_it_is_usable_by_keyboard(made: Made) -> None:
    """The first stop skips to the figures; headings sort by Enter, say so, and keep the focus visible."""
    for pod, calls in (("web-1", 1), ("web-2", 2)):
        for _ in range(calls):
            made.site.accept(entry(pod))
    with browsing(url(made)) as page:
        page.wait_for_selector("#spend-rows tr")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.sort") == "pod"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        names = page.locator("#spend-rows th").all_inner_texts
        assert [name.split()[0] for name in names()] == ["web-2", "web-1"]
        page.keyboard.press("Enter")
        assert [name.split()[0] for name in names()] == ["web-1", "web-2"]
        assert page.locator("[aria-sort=ascending]").inner_text().startswith("Pod")
        assert page.locator("#said").text_content() == "Sorted by Pod, ascending"
        page.keyboard.press("Enter")
        assert [name.split()[0] for name in names()] == ["web-2", "web-1"]


@browser
def test_without_javascript_it_says_where_the_figures_are(made: Made) -> None:
    """A sentence with links."""
    with browsing(url(made), javascript=False) as page:
        assert "JavaScript, which is off" in page.locator("main").inner_text()
        assert page.locator("main a[href='api/v1/summary']").is_visible()


@browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["busy", "empty", "not in force"])
def test_axe_finds_nothing(made: Made, scheme: Literal["light", "dark"], state: str) -> None:
    """Contrast, names, roles, tables: all rules of axe-core, in both schemes and all states."""
    if state == "busy":
        made.covered = processes()
        feed(made)
    if state == "not in force":
        made.capture = replace(IN_FORCE, reason="needs CAP_BPF")
    with browsing(url(made), scheme=scheme) as page:
        page.wait_for_selector(
            {"busy": "#coverage-rows tr", "empty": "#spend-empty", "not in force": "#banner.bad"}[state]
        )
        page.evaluate("() => {" + axe_source() + "}")
        found: Any = page.evaluate("axe.run()")
        assert len(found["passes"]) > 20
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
