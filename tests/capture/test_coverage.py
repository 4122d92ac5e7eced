"""What is said of a process, by what it carries and what was seen of it."""

from __future__ import annotations

import pytest

from agent.capture.coverage import Library, denied, selected, unselected
from agent.capture.plan import Plan, Probe, Role, Sign, Site, Unreadable
from agent.model import CoverageReason, Process

PROCESS = Process(pid=7, start_ticks=5, name="p", cgroup_id=1, cgroup_path="/a")
SITE = Site(function="SSL_read", role=Role.READ_ENTRY, probe=Probe.UPROBE, file_offset=1, emulated=True)


class Attached:
    def close(self) -> None:
        raise AssertionError("nothing is closed here")


def readable(*, missing: tuple[str, ...] = ()) -> Library:
    return Library(path="/libssl", plan=Plan(sites=(SITE,), missing=missing), link=Attached(), linked_ticks=9)


def carries(sign: Sign, *, is_program: bool = False) -> Library:
    stack = Unreadable(stack=f"stack-{sign.value}", detail="no way in", remedy=f"another than {sign.value}", sign=sign)
    return Library(path="/carrier", plan=Plan(sites=(), unreadable=(stack,)), is_program=is_program)


ALL = frozenset({Sign.TCP, Sign.UDP})
TOLD = [
    # sign, is the program, seen, beside a readable one; told?
    (Sign.PRESENT, False, frozenset(), False, True),
    (Sign.PRESENT, False, frozenset(), True, True),
    (Sign.PROGRAM, True, frozenset(), False, True),
    (Sign.PROGRAM, True, frozenset(), True, True),
    (Sign.PROGRAM, False, frozenset(), False, False),
    (Sign.PROGRAM, False, frozenset({Sign.TCP}), False, True),
    (Sign.PROGRAM, False, ALL, True, False),  # the connection is as likely the readable one's
    (Sign.TCP, True, frozenset(), False, False),
    (Sign.TCP, False, frozenset({Sign.UDP}), False, False),
    (Sign.TCP, False, frozenset({Sign.TCP}), False, True),
    (Sign.TCP, False, ALL, True, False),
    (Sign.UDP, False, frozenset({Sign.TCP}), False, False),
    (Sign.UDP, False, frozenset({Sign.UDP}), True, True),  # nothing else speaks QUIC
]


@pytest.mark.parametrize(("sign", "is_program", "seen", "beside", "told"), TOLD)
def test_a_stack_is_told_when_it_is_believed_to_be_used(
    sign: Sign, is_program: bool, seen: frozenset[Sign], beside: bool, told: bool
) -> None:
    """With its reason and remedy; else the process is read, with a note, or is not spoken of."""
    used = [carries(sign, is_program=is_program), *([readable()] if beside else [])]
    said = selected(PROCESS, used, seen)
    if told:
        assert said is not None
        assert said.reason is CoverageReason.CANNOT_DECRYPT
        assert (said.library, said.detail, said.remedy) == (
            "/carrier",
            f"stack-{sign.value}: no way in",
            f"another than {sign.value}",
        )
    elif beside:
        assert said is not None
        assert said.reason is CoverageReason.READABLE
        assert f"stack-{sign.value}" in said.detail
    else:
        assert said is None


def test_what_is_awaited_is_what_would_tell() -> None:
    """Nobody looks for signs that would change nothing."""
    for sign, is_program, seen, beside, told in TOLD:
        if told and not seen:
            assert carries(sign, is_program=is_program).awaits == set()
        elif told and not beside:
            assert carries(sign, is_program=is_program).awaits <= seen


def test_a_failed_library_is_told_with_all_the_rest() -> None:
    """A missing link is what can be mended, so its remedy goes first."""
    failed = Library(path="/libgnutls", plan=Plan(sites=(SITE,)), error="refused")
    said = selected(PROCESS, [readable(), carries(Sign.PRESENT), failed], frozenset())
    assert said is not None
    assert said.library == "/libgnutls"
    assert said.detail == "refused; stack-present: no way in"
    assert "podtab doctor" in said.remedy


def test_a_read_process_may_be_older_than_its_probe_or_read_in_part() -> None:
    """Both are said."""
    said = selected(PROCESS, [readable(missing=("SSL_peek: no site",))], frozenset())
    assert said is not None
    assert said.reason is CoverageReason.READABLE
    assert said.older_than_probe
    assert "SSL_peek" in said.detail


def test_a_library_that_could_not_be_opened_is_told_with_why() -> None:
    """Nothing is known of what it carries, which is not "nothing"."""
    closed = Library(path="/libssl", plan=Plan(sites=()), error="can't be opened")
    said = selected(PROCESS, [closed], frozenset())
    assert closed.speaks_for_itself
    assert said is not None
    assert (said.reason, said.library, said.detail) == (CoverageReason.CANNOT_DECRYPT, "/libssl", "can't be opened")


def test_a_library_whose_functions_have_no_site_is_told() -> None:
    """It is TLS by its functions' names, and no probe was found a place."""
    siteless = Library(path="/libssl", plan=Plan(sites=(), missing=("SSL_read: no site",)))
    said = selected(PROCESS, [siteless], frozenset())
    assert siteless.speaks_for_itself
    assert said is not None
    assert said.reason is CoverageReason.CANNOT_DECRYPT


@pytest.mark.parametrize(
    ("sign", "is_program", "speaks"),
    [(Sign.PRESENT, False, True), (Sign.PROGRAM, True, True), (Sign.PROGRAM, False, False), (Sign.TCP, True, False)],
)
def test_what_can_not_be_read_speaks_for_itself_where_no_sign_is_needed(
    sign: Sign, is_program: bool, speaks: bool
) -> None:
    """Else a process that only carries it would be called one that uses TLS."""
    assert carries(sign, is_program=is_program).speaks_for_itself is speaks


def test_what_else_is_known_of_a_library_is_said() -> None:
    """In the words of who found it out."""
    library = readable()
    library.remark = "handshakes of before are not seen"
    said = selected(PROCESS, [library], frozenset())
    assert said is not None
    assert said.detail == "handshakes of before are not seen"


def test_a_process_without_any_of_it_is_not_spoken_of() -> None:
    """Nor one that nobody selected and that maps no such library."""
    assert selected(PROCESS, [], ALL) is None
    assert unselected(PROCESS, "") is None


def test_others_have_a_remedy_too() -> None:
    """Who is left out, and who may not be looked into."""
    left_out = unselected(PROCESS, "/libssl")
    assert left_out is not None
    assert left_out.reason is CoverageReason.NOT_SELECTED
    assert left_out.remedy
    assert denied(PROCESS).reason is CoverageReason.CANNOT_DECRYPT
    assert denied(PROCESS).remedy
