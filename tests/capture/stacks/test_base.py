"""C libraries that are known by their functions' names; how sites are chosen is tested in tests/capture/test_sites.py."""

from __future__ import annotations

import dataclasses

import pytest

from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities
from agent.capture.stacks import STACKS
from agent.capture.stacks.base import CLibrary
from tests.capture.builds import Build, load

LIBRARIES = [stack for stack in STACKS if isinstance(stack, CLibrary)]
SAFE = Abilities(uretprobe_safe=True)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_other_libraries_have_none_of_it(library: CLibrary) -> None:
    """A name that two libraries share would read one of them twice."""
    for build in (Build([]), load("debian-12-libssl-3.0")):
        assert library.plan(build, SAFE) == Plan(sites=())  # type: ignore[arg-type]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_both_directions_and_the_end_are_read(library: CLibrary) -> None:
    """Its functions, with the code of a real build's, get sites for every role of a connection's life."""
    read, write, *_, end = load("s2n/awscrt-0.38.1").functions(["s2n_recv", "s2n_send", "s2n_connection_free"]).values()
    ways = library.calls.ways
    code = {form.name: read for form in ways[0].forms} | {form.name: write for form in ways[1].forms}
    code |= dict.fromkeys((*library.calls.closers, *library.calls.descriptors), end)
    build = Build(dataclasses.replace(function, name=name) for name, function in code.items())
    plan = library.plan(build, SAFE)  # type: ignore[arg-type]
    descriptor = {Role.DESCRIPTOR} if library.calls.descriptors else set()
    assert {site.role for site in plan.sites} == descriptor | {
        Role.READ_ENTRY,
        Role.READ_RETURN,
        Role.WRITE_ENTRY,
        Role.WRITE_RETURN,
        Role.CLOSE,
    }
    assert {site.function for site in plan.sites} == set(library.calls.names)
