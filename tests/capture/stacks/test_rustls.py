"""rustls: found by its functions' names, in both ways that Rust writes them; all of it is understood, or nothing is probed and the reason is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.capture.elf import Function
from agent.capture.plan import Probe, Role, Site
from agent.capture.sites import Abilities
from agent.capture.stacks.rustls import NotUnderstoodError, Rustls, study
from tests.capture.builds import Build, load

ABLE = Abilities(uretprobe_safe=False)
NEW, SMALL, OLD = "rustls/0.23-release", "rustls/0.23-small", "rustls/0.21-release"


def sites(build: Build, abilities: Abilities = ABLE) -> tuple[Site, ...]:
    plan = Rustls.plan(build, abilities)  # type: ignore[arg-type]
    assert not plan.missing
    assert not plan.unreadable
    return plan.sites


def reason(build: Build, abilities: Abilities = ABLE) -> str:
    assert not sites(build, abilities)
    with pytest.raises(NotUnderstoodError) as caught:
        study(build, abilities)  # type: ignore[arg-type]
    return str(caught.value)


def changed(name: str, change: Callable[[Function], Function | None]) -> Build:
    return Build(filter(None, map(change, load(name).all)))


@pytest.mark.parametrize(
    ("name", "role", "tag"),
    [(NEW, Role.RUSTLS_SEND_SLICES, 5), (SMALL, Role.RUSTLS_SEND_SLICES, 5), (OLD, Role.RUSTLS_SEND_SLICE, 3)],
)
def test_real_builds(name: str, role: Role, tag: int) -> None:
    """Three ciphers, and the client's connections of TLS 1.2 and 1.3; no return probe, so where those are not safe too."""
    found = sites(load(name))
    assert Counter(site.role for site in found) == {role: 3, Role.RUSTLS_RECEIVE: 2}
    assert {site.stack_offset for site in found if site.role is Role.RUSTLS_RECEIVE} == {16 | tag}
    assert {site.probe for site in found} == {Probe.UPROBE}
    assert not any("Invalid" in site.function for site in found)


def test_the_cipher_that_refuses_is_not_probed() -> None:
    """It stands where no cipher is agreed yet, and its code says nothing about a message."""
    build = load(NEW)
    none_yet = replace(
        build.all[0],
        name="_ZN108_$LT$rustls..crypto..cipher..InvalidMessageEncrypter$u20$as$u20$rustls..crypto..cipher..MessageEncrypter$GT$7encrypt17he5c70e0445f10eaeE.llvm.472311997737877028",
        code=b"\xc3",
        file_offset=1,
    )
    assert sites(Build([*build.all, none_yet])) == sites(build)


V0 = {
    "MessageEncrypter": "_RNvXs2_NtNtNtCshZdU6G7QzQo_6rustls6crypto4ring5tls13NtB5_21Tls13MessageEncrypterNtNtB9_6cipher16MessageEncrypter7encrypt",
    "tls12..ExpectTraffic": "_RNvXsa_NtNtCshZdU6G7QzQo_6rustls6client5tls12NtB5_13ExpectTrafficINtNtB9_12common_state5StateNtNtB7_11client_conn20ClientConnectionDataE6handle",
    "tls13..ExpectTraffic": "_RNvXs9_NtNtCshZdU6G7QzQo_6rustls6client5tls13NtB5_13ExpectTrafficINtNtB9_12common_state5StateNtNtB7_11client_conn20ClientConnectionDataE6handle",
    "send_appdata_encrypt": "_RNvMNtCshZdU6G7QzQo_6rustls12common_stateNtB2_11CommonState20send_appdata_encrypt.llvm.7873234651775669869",
    "send_single_fragment": "_RNvMNtCshZdU6G7QzQo_6rustls12common_stateNtB2_11CommonState20send_single_fragment",
    "encrypt_outgoing": "_RNvMNtCshZdU6G7QzQo_6rustls12record_layerNtB2_11RecordLayer16encrypt_outgoing",
}


@pytest.mark.parametrize("name", [NEW, SMALL])
def test_the_new_way_of_names(name: str) -> None:
    """What rustc calls v0, as its nightly builds have it."""

    def renamed(one: Function) -> Function | None:
        own = f"_RNvXs{one.address:x}_"  # of several ciphers
        return next(
            (replace(one, name=new.replace("_RNvXs2_", own)) for part, new in V0.items() if part in one.name), None
        )

    found = sites(changed(name, renamed))
    assert {site.file_offset for site in found} == {site.file_offset for site in sites(load(name))}


def test_functions_of_the_same_code_are_one_site() -> None:
    """Linkers may fold them; a second probe would count every byte twice."""
    build = load(NEW)
    client = next(one for one in build.all if "client..tls12..ExpectTraffic" in one.name)
    server = replace(client, name=client.name.replace("client..tls12", "server..tls12"))
    assert len(sites(Build([*build.all, server]))) == len(sites(build))


@pytest.mark.parametrize("kind", ["MessageEncrypter", "ExpectTraffic"])
def test_stripped(kind: str) -> None:
    """Half of its names are no more than none."""
    assert "stripped" in reason(changed(NEW, lambda one: None if kind in one.name else one))


def test_kernels_without_cookies_are_told() -> None:
    """The layout has no other way to the programs."""
    assert "5.15" in reason(load(NEW), replace(ABLE, cookies=False))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("MessageEncrypter", "what is to be encrypted"),
        ("CommonState", "have their cipher"),
        ("ExpectTraffic", "application data"),
        ("tls12..ExpectTraffic", "application data"),
    ],
)
def test_code_that_is_not_understood(part: str, said: str) -> None:
    """One doubtful function, and nothing of the program is read."""
    build = changed(OLD, lambda one: replace(one, code=b"\x0f\xa2\xc3") if part in one.name else one)
    assert said in reason(build)


def test_two_versions_in_one_program() -> None:
    """Whose struct it is can't be said of a function's name."""
    assert "what is to be encrypted" in reason(Build([*load(OLD).all, *load(NEW).all]))


def test_other_processors() -> None:
    """Their code is not read, so nothing is known."""
    build = load(NEW)
    build.machine = "AArch64"
    assert "x86-64" in reason(build)


def test_names_without_end() -> None:
    """A hostile table of symbols costs its own file."""
    one = next(one for one in load(NEW).all if "MessageEncrypter" in one.name)
    many = [replace(one, name=f"{one.name}.llvm.{index}") for index in range(100)]
    assert "more functions" in reason(Build([*load(NEW).all, *many]))
