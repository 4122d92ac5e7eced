"""How a workload is started."""

from pathlib import Path

import pytest

from agent.demo import sdks
from agent.model import PodtabError


def test_absent_sdks_are_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Instead of nine workloads that fail one by one."""
    monkeypatch.setattr(sdks, "_PYTHON", tmp_path / "python")
    with pytest.raises(PodtabError, match="scripts/setup-demo"):
        sdks.check()


def test_workloads_get_keys_and_authority_and_nothing_of_ours() -> None:
    """No base URL, no proxy, no switch: what a pod's own spec would hold."""
    environment = sdks.environment(key="sk-demo-a", authority=Path("/ca.pem"), home=Path("/home"))
    assert environment["OPENAI_API_KEY"] == environment["ANTHROPIC_API_KEY"] == environment["GEMINI_API_KEY"]
    assert environment["SSL_CERT_FILE"] == environment["NODE_EXTRA_CA_CERTS"] == "/ca.pem"
    assert not [name for name in environment if "URL" in name or "PROXY" in name or "PODTAB" in name]


def test_the_script_decides_the_interpreter() -> None:
    """Python's from the demo's own environment, Node from the system."""
    assert sdks.command("openai_node.cjs", 2, ("chat",))[0] == "node"
    assert str(sdks.command("openai_sync.py", 2, ("chat",))[0]).endswith("/bin/python")
    assert sdks.command("openai_sync.py", 2, ("chat", "stream"))[2:] == ["2", "chat", "stream"]
