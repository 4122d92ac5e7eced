"""A certificate authority of the demo's own, good for a day and for the providers' host names, made by the ``openssl`` command."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.model import PodtabError

HOSTS = (
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "openrouter.ai",
    "bedrock-runtime.us-east-1.amazonaws.com",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    authority: Path
    """What clients must trust."""
    server: Path
    """The server's chain and key in one file."""


def make(folder: Path, hosts: Sequence[str] = HOSTS) -> Certificates:
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    leaf, leaf_key, request = folder / "leaf.pem", folder / "leaf.key", folder / "leaf.csr"
    extensions = folder / "leaf.ext"
    names = ",".join(f"DNS:{host}" for host in hosts)
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n", encoding="ascii")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", "-x509", *curve, "-days", "1", "-subj", "/CN=podtab demo CA",
             "-addext", "keyUsage=critical,keyCertSign", "-keyout", authority_key, "-out", authority)  # fmt: skip
    _openssl("req", "-new", *curve, "-subj", "/CN=podtab demo provider", "-keyout", leaf_key, "-out", request)
    _openssl("x509", "-req", "-days", "1", "-in", request, "-CA", authority, "-CAkey", authority_key,
             "-CAcreateserial", "-extfile", extensions, "-out", leaf)  # fmt: skip
    server = folder / "server.pem"
    server.write_bytes(leaf.read_bytes() + leaf_key.read_bytes())
    return Certificates(authority=authority, server=server)


def _openssl(*arguments: str | Path) -> None:
    try:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    except FileNotFoundError:
        raise PodtabError("the demo needs the command openssl: apt-get install openssl") from None
    except subprocess.CalledProcessError as error:
        raise PodtabError(f"openssl {arguments[0]} failed with exit code {error.returncode}") from None
