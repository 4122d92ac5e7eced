"""
One text out of ``bpf/``.

BCC rewrites map access (``map.lookup()``) in the main file only, not in what it includes; so the files are put together
here, with ``#line`` so that the compiler's errors point at the real ones.
"""

from __future__ import annotations

from pathlib import Path

FILES = (
    "podtab.h",
    "maps.h",
    "emit.h",
    "connection.h",
    "notes.h",
    "tls_openssl.c",
    "tls_gnutls.c",
    "tls_nss.c",
    "tls_go.c",
    "tls_rustls.c",
    "process.c",
    "plain.c",
    "packet.h",
    "hello.c",
    "egress.c",
)
"""In the order in which they need each other."""

_PRELUDE = "#include <linux/types.h>\n#include <linux/ptrace.h>\n"


def folder() -> Path:
    """Where the C sources are: beside the package in a checkout, inside it when installed."""
    installed = Path(__file__).parent.parent / "_bpf"
    return installed if installed.is_dir() else Path(__file__).parent.parent.parent / "bpf"


def flatten(read: dict[str, str]) -> str:
    """The texts of ``FILES``, by name, as one."""
    parts = [_PRELUDE]
    for name in FILES:
        body = read[name].replace("#pragma once", "", 1)
        parts.append(f'#line 1 "bpf/{name}"\n{body}')
    return "".join(parts)


def load() -> str:
    """All of ``bpf/`` as one text for BCC."""
    return flatten({name: (folder() / name).read_text(encoding="utf-8") for name in FILES})
