"""The demo's own certificate authority."""

import ssl
from pathlib import Path

import pytest

from agent.demo.certificates import HOSTS, make
from agent.model import PodtabError


def test_a_chain_that_clients_can_load(tmp_path: Path) -> None:
    """The authority as trust, the server's chain with its key; all hosts are named (the SDKs check that for real)."""
    made = make(tmp_path)
    ssl.create_default_context(cafile=str(made.authority))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.server)
    assert all(f"DNS:{host}" in (tmp_path / "leaf.ext").read_text() for host in HOSTS)


def test_without_openssl_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PodtabError, match="apt-get install openssl"):
        make(tmp_path)
