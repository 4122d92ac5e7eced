"""The page says what ran, what did not, and why."""

from __future__ import annotations

from pathlib import Path

from tests.qemu.table import Outcome, page, read_outcomes, read_progress

JUNIT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.kernel.test_loss" name="test_a"/>
<testcase classname="tests.kernel.test_loss" name="test_b"><failure message="gone&#10;and more"/></testcase>
<testcase classname="tests.kernel.test_loss" name="test_c"><skipped message="no such site"/></testcase>
</testsuite></testsuites>"""


def test_outcomes_are_read_from_pytests_file(tmp_path: Path) -> None:
    """The first line of the reason is enough; the whole output is kept elsewhere."""
    (tmp_path / "junit.xml").write_text(JUNIT)
    assert read_outcomes(tmp_path / "junit.xml") == [
        Outcome(file="test_loss", name="test_a", status="passed"),
        Outcome(file="test_loss", name="test_b", status="failed", reason="gone"),
        Outcome(file="test_loss", name="test_c", status="skipped", reason="no such site"),
    ]


def test_a_cut_file_is_no_outcome(tmp_path: Path) -> None:
    """A guest that was thrown away has passed nothing."""
    (tmp_path / "junit.xml").write_text(JUNIT[:90])
    assert read_outcomes(tmp_path / "junit.xml") == read_outcomes(tmp_path / "none.xml") == []


def test_a_run_that_was_cut_has_still_passed_what_it_passed() -> None:
    """Names may have spaces in their parameters, reasons brackets; the test that was under way is in no list."""
    output = """collected 4 items

tests/kernel/test_loss.py::test_a[older, stripped] PASSED [ 25%]
tests/kernel/test_loss.py::test_b FAILED [ 50%]
tests/kernel/test_loss.py::test_c SKIPPED (no site (yet): why) [ 75%]
tests/kernel/test_loss.py::test_d """
    assert read_progress(output) == [
        Outcome(file="test_loss", name="test_a[older, stripped]", status="passed"),
        Outcome(file="test_loss", name="test_b", status="failed", reason="the run was cut before it said why"),
        Outcome(file="test_loss", name="test_c", status="skipped", reason="no site (yet): why"),
    ]


def test_a_test_whose_fixtures_failed_behind_it_is_one_failed_test() -> None:
    """pytest says it twice; a figure would be of more tests than there are."""
    output = """tests/kernel/test_loss.py::test_a PASSED [ 25%]
tests/kernel/test_loss.py::test_a ERROR [ 25%]
tests/kernel/test_loss.py::test_b FAILED [ 50%]
tests/kernel/test_loss.py::test_b ERROR [ 50%]
"""
    assert [(one.name, one.status) for one in read_progress(output)] == [("test_a", "failed"), ("test_b", "failed")]


def test_the_page_counts_what_ran_and_tells_the_rest() -> None:
    """A skipped test is no passed one, and a kernel that never ran says so in its column."""
    text = page(
        {
            "6.1": [
                Outcome(file="test_loss", name="a", status="passed"),
                Outcome(file="test_loss", name="b", status="failed", reason="gone"),
                Outcome(file="test_loss", name="c", status="skipped", reason="no such site"),
            ],
            "5.10": [Outcome(file="tests/kernel/test_loss.py", name="", status="not run", reason="no end")],
            "5.8": [
                Outcome(file="test_loss", name="a", status="passed"),
                Outcome(file="tests/kernel/test_loss.py", name="", status="not run", reason="no end"),
            ],
        }
    )
    assert "| tests | 6.1 | 5.10 | 5.8 |" in text
    assert "| loss | 1 of 2 ✗ | not run | 1 of 1, cut ✗ |" in text
    assert "- 6.1: loss: b: failed: gone" in text
    assert "- 6.1: loss: c: skipped: no such site" in text
    assert "- 5.10: loss: all: not run: no end" in text


def test_a_file_that_is_skipped_as_a_whole_was_not_forgotten() -> None:
    """It says skipped, not "not run", and its reason once for all its tests."""
    skipped = [Outcome(file="test_go", name=name, status="skipped", reason="no cookies") for name in "abc"]
    text = page({"5.10": skipped})
    assert "| go | skipped |" in text
    assert text.endswith("What did not pass:\n\n- 5.10: go: 3 tests: skipped: no cookies\n")
