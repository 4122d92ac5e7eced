"""Where the providers' SDKs are, and how a workload is started with them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from agent.model import PodtabError

WORKLOADS = Path(__file__).parent / "workloads"
INSTALLED = Path(__file__).parents[2] / ".cache" / "demo"
_PYTHON = INSTALLED / "python" / "bin" / "python"
_NODE_MODULES = INSTALLED / "node" / "node_modules"


def check() -> None:
    absent = [str(path) for path in (_PYTHON, _NODE_MODULES) if not path.exists()]
    if shutil.which("node") is None:
        absent.append("node")
    if absent:
        raise PodtabError(f"the demo's SDKs are not installed ({', '.join(absent)} missing): run scripts/setup-demo")


def command(script: str, rounds: int, steps: tuple[str, ...]) -> list[str | Path]:
    interpreter: str | Path = _PYTHON if script.endswith(".py") else "node"
    return [interpreter, WORKLOADS / script, str(rounds), *steps]


def environment(*, key: str, authority: Path, home: Path) -> Mapping[str, str]:
    """What a pod's spec would set: the API keys, and the CA that its image trusts."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        "SSL_CERT_FILE": str(authority),
        "REQUESTS_CA_BUNDLE": str(authority),
        "NODE_EXTRA_CA_CERTS": str(authority),
        "NODE_NO_WARNINGS": "1",
        "NODE_PATH": str(_NODE_MODULES),
        "OPENAI_API_KEY": key,
        "ANTHROPIC_API_KEY": key,
        "GEMINI_API_KEY": key,
    }
