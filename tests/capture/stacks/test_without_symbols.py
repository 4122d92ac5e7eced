"""The stack without symbols: sites where a signature found the functions, the reason and the remedy where none did."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capture import match
from agent.capture.elf import ElfFile
from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from tests.capture import tiny


def planned(path: Path, *, uretprobe_safe: bool = True) -> Plan:
    with path.open("rb") as file:
        return plan(ElfFile(file), Abilities(uretprobe_safe=uretprobe_safe))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "MIN_CODE_BYTES", 0)


def test_every_role_of_a_stripped_program_has_its_sites(tmp_path: Path) -> None:
    """Reading, writing, opening, closing, in the functions that the signature names."""
    chosen = planned(tiny.build(tmp_path, "-O2")[1])
    assert not chosen.missing
    assert {(site.function, site.role) for site in chosen.sites} == {
        ("ssl_read_internal", Role.READ_ENTRY),
        ("ssl_read_internal", Role.READ_RETURN),
        ("ssl_write_internal", Role.WRITE_ENTRY),
        ("ssl_write_internal", Role.WRITE_RETURN),
        ("SSL_new", Role.OPEN),
        ("SSL_shutdown", Role.CLOSE),
        ("SSL_free", Role.CLOSE),
    }


def test_where_return_probes_are_not_safe_returns_are_probed(tmp_path: Path) -> None:
    """Each one of the function that was found, and none of the next one."""
    chosen = planned(tiny.build(tmp_path, "-O1")[1], uretprobe_safe=False)
    assert {site.instruction for site in chosen.sites if site.role is Role.READ_RETURN} == {"ret"}


def test_symbols_go_before_signatures(tmp_path: Path) -> None:
    """A program that kept them is not searched."""
    chosen = planned(tiny.build(tmp_path, "-O2")[0])
    assert {site.function for site in chosen.sites} >= {"SSL_read"}
    assert not any(site.role is Role.OPEN for site in chosen.sites)


def test_what_no_signature_fits_is_told(tmp_path: Path) -> None:
    """With its version, the reason and what can be done."""
    chosen = planned(tiny.build(tmp_path, "-O2", "-DTWICE")[1])
    (one,) = chosen.unreadable
    assert not chosen.sites
    assert one.stack == "openssl"
    assert "built in without symbols 3.0.19" in one.detail
    assert "fits 2 places" in one.detail
    assert "podtab signature make" in one.remedy


def test_what_is_too_large_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is counted; nothing is claimed of it."""
    monkeypatch.setattr(match, "MAX_SEARCHED_BYTES", 1)
    assert planned(tiny.build(tmp_path, "-O2")[1]) == Plan(sites=(), unsearched=True)
