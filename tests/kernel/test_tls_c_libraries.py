"""Mbed TLS, wolfSSL and s2n, real probes, real TLS: what capture says is what was said, byte by byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from tests.kernel import tls
from tests.kernel.packages import AWSCRT
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

DEBIAN = {"mbedtls": "libmbedtls.so.14", "wolfssl": "libwolfssl.so.35"}


def library(name: str) -> str:
    if name == "s2n":
        return str(AWSCRT.file())
    path = tls.loaded(DEBIAN[name])
    if not path:
        pytest.skip(f"needs {DEBIAN[name]} (scripts/test installs it)")
    return path


@pytest.mark.parametrize(
    ("name", "word", "first"),
    [
        ("mbedtls", "call", False),
        ("mbedtls", "call", True),
        ("wolfssl", "call", False),
        ("wolfssl", "other", False),
        ("wolfssl", "other", True),
        ("s2n", "call", False),  # the kernel takes no probe on s2n_recv's first instruction
    ],
)
def test_every_byte_once(kernel: Kernel, server: tls.Server, name: str, word: str, first: bool) -> None:
    """Both ways, at the best sites and at the first instructions; a function that calls another one is counted once."""
    path = library(name)
    client = Client([*tls.script("c_libraries_client.py"), name, path], server.port)
    try:
        tls.converse(kernel, client, path, tls.sites(path, first_instructions=first), word)
    finally:
        client.kill()


@pytest.mark.parametrize("name", ["mbedtls", "wolfssl", "s2n"])
def test_without_cookies(
    load: Callable[[KernelSettings], Kernel], monkeypatch: pytest.MonkeyPatch, server: tls.Server, name: str
) -> None:
    """The way of kernels before 5.15."""
    path = library(name)
    tls.pretend_kernel(monkeypatch, "5.10.0-28-amd64")
    kernel = load(KernelSettings(ring_bytes=1 << 20))
    client = Client([*tls.script("c_libraries_client.py"), name, path], server.port)
    try:
        tls.converse(kernel, client, path, tls.sites(path, cookies=False), "call")
    finally:
        client.kill()
