"""The program of `helm test`, against servers that answer as agents and as the API server do."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.charts.conftest import CHART

_SPEC = importlib.util.spec_from_file_location("ask_agents", CHART / "files" / "ask_agents.py")
assert _SPEC is not None
assert _SPEC.loader is not None
ask_agents = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(ask_agents)

GOOD = "# HELP x\n" + "".join(f"{name} 1\n" for name in ask_agents.NEEDED)


@contextmanager
def serving(pages: dict[str, tuple[int, str]]) -> Iterator[int]:
    """A port on loopback that answers by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = pages.get(self.path.partition("?")[0], (404, "no such page"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({"/readyz": (200, "ok"), "/metrics": (200, GOOD)}, ""),
        ({"/readyz": (503, "capture is not in force"), "/metrics": (200, GOOD)}, "capture is not in force"),
        ({"/readyz": (200, "ok"), "/metrics": (200, "# HELP x\n")}, "podtab_build_info"),
        ({"/readyz": (200, "ok")}, "404"),
    ],
)
def test_an_agents_fault_is_named(pages: dict[str, tuple[int, str]], words: str) -> None:
    """Not ready: the agent's own reason; no figures: which are missing."""
    with serving(pages) as port:
        said = ask_agents.complaint("127.0.0.1", str(port))
    assert words in said
    assert bool(said) == bool(words)


def test_an_agent_that_is_not_there_is_a_fault() -> None:
    """No address yet, or nobody listens."""
    assert "address" in ask_agents.complaint("", "1")
    with serving({}) as port:
        pass
    assert "does not answer" in ask_agents.complaint("127.0.0.1", str(port))


def test_pods_on_their_way_out_are_not_asked() -> None:
    """A rolling update is no fault."""
    pods = [
        {"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"podIP": "10.0.0.1"}},
        {"metadata": {"name": "b", "deletionTimestamp": "now"}, "spec": {}, "status": {}},
        {"metadata": {"name": "c"}, "spec": {}, "status": {}},
    ]
    with serving({"/api/v1/namespaces/ns/pods": (200, json.dumps({"items": pods}))}) as port:
        found = ask_agents.agents(f"http://127.0.0.1:{port}", "ns", "a=b", "token", None)
    assert found == [("a", "n", "10.0.0.1"), ("c", "", "")]
