"""One API server for all cluster tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.api_server import ApiServer, api_server

ROOT = Path(__file__).parent.parent.parent


def program() -> Path:
    """The built kube-apiserver; ``scripts/test`` builds it before."""
    where = subprocess.run(
        [ROOT / "scripts" / "build-kubernetes", "--where"], check=True, capture_output=True, text=True
    )
    return Path(where.stdout.strip()) / "kube-apiserver"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    if not program().exists():
        pytest.skip("no kube-apiserver: run scripts/build-kubernetes (needs Go)")
    with api_server(program(), tmp_path_factory.mktemp("cluster")) as running:
        _grant(running)
        yield running


def _grant(running: ApiServer) -> None:
    """Exactly the rules of the chart's ClusterRole, for the agent's user."""
    rules = chart_rules()
    api = "/apis/rbac.authorization.k8s.io/v1"
    running.call("POST", f"{api}/clusterroles", {"metadata": {"name": "podtab"}, "rules": rules})
    binding = {
        "metadata": {"name": "podtab"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "podtab"},
        "subjects": [{"kind": "User", "name": "agent", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    running.call("POST", f"{api}/clusterrolebindings", binding)


def chart_rules() -> list[object]:
    """From the chart itself, so that the rights tested are the rights given."""
    import yaml

    text = (ROOT / "charts" / "podtab" / "templates" / "rbac.yaml").read_text()
    role = text[text.index("rules:") :].split("---")[0]
    lines = [line for line in role.splitlines() if "{{" not in line]
    return list(yaml.safe_load("\n".join(lines))["rules"])
