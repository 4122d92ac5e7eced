"""Targets: one link a file, nothing where nobody is selected, late libraries found, ends and failures told."""

from __future__ import annotations

import pytest

from agent.capture import targets as module
from agent.capture.coverage import Library
from agent.capture.judge import Judge, Judged
from agent.capture.plan import Plan, Sign, Unreadable
from agent.capture.processes import Code, Mapped
from agent.capture.selection import Choice
from agent.capture.targets import IDLE_NS, RESCAN_AFTER_NS, Sight
from agent.model import CoverageReason
from tests.capture.machine import LIBSSL, NODE, POD, FakeKernel, Machine, rescan


def test_one_link_for_a_file_that_many_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inode-wide link covers them all."""
    machine = Machine(files={1: [LIBSSL], 2: [LIBSSL], 3: [NODE]})
    targets = machine.targets(monkeypatch)
    for pid in machine.files:
        targets.started(pid, 0)
    assert machine.kernel.open_paths == [LIBSSL, NODE]
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 2, NODE: 1}
    assert machine.learned == [1, 2, 3]


def test_what_only_unselected_processes_use_carries_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not selected costs nothing."""
    machine = Machine(files={1: [LIBSSL]}, choices={1: Choice.UNSELECTED})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    assert machine.kernel.links == []
    assert set(targets.unselected_pids) == {1}


def test_an_unselected_pod_that_shares_a_library_is_dropped_in_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole group; a group that is no pod's is never dropped."""
    machine = Machine(
        files={1: [LIBSSL], 2: [LIBSSL], 3: [LIBSSL]},
        choices={2: Choice.UNSELECTED, 3: Choice.UNSELECTED},
        cgroup={2: (77, POD)},
    )
    targets = machine.targets(monkeypatch)
    for pid in machine.files:
        targets.started(pid, 0)
    assert machine.kernel.dropped == {77}


def test_an_undecided_process_is_watched_until_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No first call is missed; when the pod turns out not to be selected, its probes go."""
    machine = Machine(files={1: [LIBSSL]}, choices={1: Choice.UNDECIDED}, cgroup={1: (77, POD)})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    assert machine.kernel.open_paths == [LIBSSL]
    machine.choices[1] = Choice.UNSELECTED
    rescan(targets, 1)
    assert machine.kernel.dropped == {77}
    rescan(targets, 2)
    rescan(targets, 2 + IDLE_NS)
    assert machine.kernel.open_paths == []


def test_a_late_library_is_found_by_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """dlopen: less and less often, and then no more."""
    machine = Machine(files={1: []})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    machine.files[1] = [LIBSSL]
    rescan(targets, RESCAN_AFTER_NS[0] - 1)
    assert machine.kernel.open_paths == []
    rescan(targets, RESCAN_AFTER_NS[0])
    assert machine.kernel.open_paths == [LIBSSL]


def test_a_link_stays_a_while_for_the_next_process_of_its_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """That one is then covered from its first instruction; an unused link goes in the end."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    targets.ended(1)
    rescan(targets, 10)
    assert machine.kernel.open_paths == [LIBSSL]
    machine.files[2] = [LIBSSL]
    targets.started(2, 20)
    assert len(machine.kernel.links) == 1
    targets.ended(2)
    rescan(targets, 30)
    rescan(targets, 30 + IDLE_NS)
    assert machine.kernel.open_paths == []
    assert targets.status() == []


def test_an_exec_leaves_the_old_programs_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pid is the same, the program is not."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    machine.files[1] = [NODE]
    targets.started(1, 1)
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 0, NODE: 1}


def test_news_that_was_lost_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconciliation with /proc finds births and deaths."""
    machine = Machine(files={1: [LIBSSL], 2: [NODE]})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    assert targets.reconcile([2]) == [2]
    assert targets.processes == 0
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 0}


def test_a_failed_attach_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """status() says why; the next process of the library tries anew."""
    machine = Machine(files={1: [LIBSSL], 2: [LIBSSL]}, kernel=FakeKernel(broken=True))
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    (library,) = targets.status()
    assert "CAP_BPF" in library.error
    assert (targets.attach_errors, library.sites) == (1, 0)
    machine.kernel.broken = False
    targets.started(2, 1)
    (library,) = targets.status()
    assert (library.error, library.sites, library.slow_sites) == ("", 1, ("SSL_read read_entry (sub)",))


def test_a_program_without_tls_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And carries nothing."""
    machine = Machine(files={1: ["/usr/bin/bash"], 2: ["/usr/bin/bash"]}, without_tls={"/usr/bin/bash"})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    targets.started(2, 0)
    assert targets.status() == []
    assert machine.read == ["/usr/bin/bash"]
    assert targets.judged == {Judged.LEFT_OUT: 0, Judged.WITHOUT_TLS: 1}


def test_a_program_that_was_written_since_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inode number comes again with another content."""
    machine = Machine(files={1: ["/usr/bin/bash"], 2: ["/usr/bin/bash"]}, without_tls={"/usr/bin/bash"})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    machine.without_tls = set()
    monkeypatch.setattr(Mapped, "stamp", lambda self: (5, 5))
    targets.started(2, 0)
    assert machine.kernel.open_paths == ["/usr/bin/bash"]


def test_close_detaches_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process pays for an agent that is going away."""
    machine = Machine(files={1: [LIBSSL], 2: [NODE]})
    targets = machine.targets(monkeypatch)
    for pid in machine.files:
        targets.started(pid, 0)
    targets.close()
    assert machine.kernel.open_paths == []


def test_coverage_says_of_each_process_how_far_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probed, failed with its reason, not selected; who has no TLS library is not spoken of."""
    machine = Machine(
        files={1: [LIBSSL], 2: [LIBSSL], 3: ["/usr/bin/bash"], 4: ["/usr/bin/bash"]},
        choices={2: Choice.UNSELECTED, 4: Choice.UNSELECTED},
        without_tls={"/usr/bin/bash"},
    )
    targets = machine.targets(monkeypatch)
    for pid in machine.files:
        targets.started(pid, 0)
    told = {one.process.pid: one for one in targets.coverage()}
    assert {pid: one.reason for pid, one in told.items()} == {
        1: CoverageReason.READABLE,
        2: CoverageReason.NOT_SELECTED,
    }
    assert told[1].library == told[2].library == LIBSSL
    machine.kernel.broken = True
    machine.files[5] = [NODE]
    targets.started(5, 0)
    (failed,) = [one for one in targets.coverage() if one.process.pid == 5]
    assert failed.reason is CoverageReason.CANNOT_DECRYPT
    assert "CAP_BPF" in failed.detail
    assert failed.remedy


def test_a_process_that_was_there_before_its_probe_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock that counts from boot; the fake processes started with it."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    assert targets.coverage()[0].older_than_probe
    monkeypatch.setattr(module, "_ticks_since_boot", lambda: 1)
    machine.files[2] = [NODE]
    targets.started(2, 0)
    assert not targets.coverage()[1].older_than_probe


def test_what_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not known is not absent."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch)

    def denied(pid: int) -> Code:
        raise PermissionError

    monkeypatch.setattr(module, "mapped_code", denied)
    targets.started(1, 0)
    (one,) = targets.coverage()
    assert (one.reason, one.library) == (CoverageReason.CANNOT_DECRYPT, "")
    assert "SYS_PTRACE" in one.remedy
    assert targets.sight == Sight(read=0, denied=1)


def test_sight_counts_programs_and_no_kernel_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What maps nothing can be read by anybody, and says nothing of our rights."""
    machine = Machine(files={1: [LIBSSL], 2: []})
    targets = machine.targets(monkeypatch)
    for pid in machine.files:
        targets.started(pid, 0)
    assert targets.sight == Sight(read=1, denied=0)


def test_a_stack_that_nobody_can_read_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of the pod learns what to do; nothing is attached and no error of ours is counted."""
    machine = Machine(files={1: [NODE]})
    targets = machine.targets(monkeypatch)
    sealed = Unreadable(stack="sealed", detail="its keys never leave it", remedy="use another one")
    monkeypatch.setattr(
        Judge,
        "_read",
        lambda self, mapped: (Judged.TLS, Library(mapped.path, Plan(sites=(), unreadable=(sealed,)))),
    )
    targets.started(1, 0)
    (one,) = targets.coverage()
    assert (one.reason, one.detail, one.remedy) == (
        CoverageReason.CANNOT_DECRYPT,
        "sealed: its keys never leave it",
        "use another one",
    )
    assert machine.kernel.links == []
    assert targets.attach_errors == 0
    assert [library.unreadable for library in targets.status()] == [True]


def test_signs_of_use_are_sought_until_they_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with a stack that nobody can read is spoken of from the first sign on; nobody looks any more then, and never at others."""
    machine = Machine(files={1: ["/lib/libjvm.so"], 2: ["/lib/libssl.so.3"]})
    targets = machine.targets(monkeypatch)
    java = Unreadable(stack="JSSE", detail="compiled", remedy="another", sign=Sign.TCP)
    read = machine._plan

    def plan(mapped: Mapped) -> tuple[Judged, Library | None]:
        if "jvm" in mapped.path:
            return Judged.TLS, Library(path=mapped.path, plan=Plan(sites=(), unreadable=(java,)))
        return read(mapped)

    seen: set[Sign] = set()
    asked: list[int] = []

    def signs_of(pid: int) -> set[Sign]:
        asked.append(pid)
        return set(seen)

    monkeypatch.setattr(Judge, "_read", lambda judge, mapped: plan(mapped))
    monkeypatch.setattr(module, "signs_of", signs_of)
    at_ns = 100 * 10**9
    targets.started(1, at_ns)
    targets.started(2, at_ns)
    rescan(targets, at_ns + module.SIGNS_AFTER_NS)
    assert {one.process.pid for one in targets.coverage()} == {2}
    assert set(asked) == {1}
    seen.add(Sign.TCP)
    at_ns += 2 * module.SIGNS_AFTER_NS + RESCAN_AFTER_NS[-1]
    rescan(targets, at_ns)
    seen.clear()
    asked.clear()
    for _ in range(10):
        at_ns += RESCAN_AFTER_NS[-1]
        rescan(targets, at_ns)
    assert asked == []
    told = {one.process.pid: one for one in targets.coverage()}
    assert told[1].reason is CoverageReason.CANNOT_DECRYPT
    assert told[1].detail.startswith("JSSE")
    assert told[1].remedy == "another"
