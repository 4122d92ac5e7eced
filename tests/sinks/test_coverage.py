"""Coverage: what capture says, and what the way of the bytes adds to it."""

from __future__ import annotations

from dataclasses import replace

from agent.model import ConnId, CoverageReason, Judgement, Process, ProcessCoverage, Verdict
from agent.sinks.coverage import LOSS_SECONDS, Coverage, Covered
from tests.pricing.calls import call
from tests.sinks.entries import WEB, entry


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def covered(
    pid: int, reason: CoverageReason = CoverageReason.READABLE, *, older: bool = False, pod: str = "web-1"
) -> Covered:
    process = Process(pid=pid, start_ticks=1, name="python3", cgroup_id=1, cgroup_path="/")
    return Covered(
        workload=replace(WEB, pod=pod),
        coverage=ProcessCoverage(process=process, reason=reason, older_than_probe=older),
    )


def ignored(pid: int, reason: str = "not_http") -> Verdict:
    return Verdict(conn=ConnId(pid=pid, pointer=1, born_ns=1), judgement=Judgement.IGNORE, reason=reason)


def reasons(coverage: Coverage) -> dict[int, str]:
    return {row.coverage.process.pid: row.coverage.reason.value for row in coverage.rows()}


def test_a_loss_is_news_for_ten_minutes() -> None:
    """It says how many bytes, adds up, and then the process is readable again."""
    clock = Clock()
    coverage = Coverage(lambda: [covered(1), covered(2)], max_pods=9, clock=clock)
    lossy = replace(call(), lost_bytes=1200)
    coverage.accept(entry(one=call()))
    assert reasons(coverage) == {1: "readable", 2: "readable"}
    for _ in range(2):
        coverage.accept(entry(one=lossy))
        clock.now += 1
    assert reasons(coverage) == {1: "bytes_lost", 2: "readable"}
    row = coverage.rows()[0].coverage
    assert row.detail.startswith("2,400 bytes")
    assert "capture.ring_bytes" in row.remedy
    clock.now += LOSS_SECONDS
    assert reasons(coverage) == {1: "readable", 2: "readable"}
    coverage.accept(entry(one=lossy))
    assert coverage.rows()[0].coverage.detail.startswith("1,200 bytes")


def test_only_an_old_process_can_have_missed_its_start() -> None:
    """A young one that talks something else than HTTP missed nothing; other verdicts say nothing of a start."""
    coverage = Coverage(lambda: [covered(1, older=True), covered(2), covered(3, older=True)], max_pods=9)
    coverage.accept_verdict(ignored(1))
    coverage.accept_verdict(ignored(2))
    coverage.accept_verdict(ignored(3, "unknown_api"))
    assert reasons(coverage) == {1: "missed_start", 2: "readable", 3: "readable"}


def test_a_pid_that_comes_back_is_somebody_else() -> None:
    """What was known of a process goes with it."""
    rows = [covered(1, older=True)]
    coverage = Coverage(lambda: rows, max_pods=9)
    coverage.accept_verdict(ignored(1))
    assert reasons(coverage) == {1: "missed_start"}
    coverage.accept(entry(one=replace(call(), lost_bytes=1200)))
    assert reasons(coverage) == {1: "bytes_lost"}
    rows.clear()
    assert reasons(coverage) == {}
    rows.append(covered(1, older=True))
    assert reasons(coverage) == {1: "readable"}


def test_the_worse_word_of_capture_stands() -> None:
    """Who can't be read, or is not selected, has nothing to lose."""
    rows = [covered(1, CoverageReason.CANNOT_DECRYPT), covered(2, CoverageReason.NOT_SELECTED)]
    coverage = Coverage(lambda: rows, max_pods=9)
    for pid in (1, 2):
        coverage.accept_verdict(ignored(pid))
        one = replace(call(), conn=ConnId(pid=pid, pointer=1, born_ns=1), lost_bytes=1)
        coverage.accept(entry(one=one))
    assert reasons(coverage) == {1: "cannot_decrypt", 2: "not_selected"}


def test_memory_is_bounded() -> None:
    """A process for every pid there is costs no more than the latest thousands."""
    coverage = Coverage(list, max_pods=9)
    for pid in range(20_000):
        coverage.accept_verdict(ignored(pid))
        coverage.accept(entry(one=replace(call(), conn=ConnId(pid=pid, pointer=1, born_ns=1), lost_bytes=1)))
    assert len(coverage._joined) == len(coverage._lost) == 4096


def test_samples_count_processes() -> None:
    """By who and reason; pods beyond the limit are one."""
    rows = [covered(1), covered(2), covered(3, CoverageReason.CANNOT_DECRYPT), covered(4, pod="web-2")]
    coverage = Coverage(lambda: rows, max_pods=1)
    assert coverage.samples() == {
        ("shop", "Deployment", "web", "web-1", "readable"): 2,
        ("shop", "Deployment", "web", "web-1", "cannot_decrypt"): 1,
        ("shop", "Deployment", "web", "other", "readable"): 1,
    }
