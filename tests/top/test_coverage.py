"""What one agent says can be read: as a table, as JSON, as an exit code."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from agent.top.coverage import connections, coverage, drawn, rows
from agent.top.scrape import TopError

FINE = {"pid": 1, "name": "node", "reason": "readable", "library": "/usr/bin/node", "detail": "", "remedy": ""}
BLIND = {
    "pid": 2,
    "name": "java\x1b[2J",
    "reason": "cannot_decrypt",
    "library": "/opt/java",
    "detail": "JSSE is no library",
    "remedy": "send its traces",
}
LEFT_OUT = FINE | {"pid": 3, "name": "curl", "reason": "not_selected", "library": None, "detail": "left out"}
WHO = {"workload_kind": "Deployment", "workload": "web", "pod": "web-1"}
GOOD = {"provider": "openai", "read": 118, "not_read": 0, "unknown": 0, "read_late": 0, "untold": 0}
BAD = {"provider": "anthropic", "read": 3, "not_read": 4, "unknown": 2, "read_late": 1, "untold": 7}
PODS = {
    "pods": [
        {"namespace": "shop", **WHO, "processes": [FINE, BLIND], "connections": [GOOD, BAD]},
        {"namespace": "ml", **WHO, "processes": [LEFT_OUT]},
    ]
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        said = {"/api/v1/coverage": json.dumps(PODS), "/behind/api/v1/coverage": "[]"}.get(self.path)
        self.send_response(200 if said else 404)
        self.end_headers()
        self.wfile.write((said or "no").encode())

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_process_has_its_reason_and_remedy(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What something can be done about comes first; a name can't move the cursor; the address of the metrics is enough."""
    assert coverage(url=f"{url}/metrics") == 0
    said = capsys.readouterr().out
    assert "1 of 3 processes with TLS readable" in said
    assert "JSSE is no library → send its traces" in said
    assert said.index("cannot_decrypt") < said.index("not_selected") < said.index("node (1)")
    assert "/usr/bin/node" in said
    assert "\x1b" not in said


def test_a_narrow_terminal_has_no_columns() -> None:
    """A line a process and what to do below it, whole words: columns would fold names letter by letter."""
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for part in drawn(rows(("node-1", pod) for pod in PODS["pods"]), ()):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[2:] == [
        " node-1: shop/web-1  java?[2J (2)  cannot_decrypt",
        "   /opt/java",
        "   JSSE is no library → send its traces",
        " node-1: ml/web-1  curl (3)  not_selected",
        "   left out",
        " node-1: shop/web-1  node (1)  readable",
        "   /usr/bin/node",
    ]


def test_how_many_connections_were_read(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all providers together; by pod and provider where some were not, and whether that is certain."""
    assert coverage(url=url) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "122 of 127 TLS connections to model APIs read" in said
    assert (
        "shop/web-1 anthropic: 4 of 9 read; 3 not read, 2 may have been read, 7 too many a second to look where" in said
    )
    assert "openai" not in said


def test_of_who_opened_none_nothing_is_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor of an agent that does not tell."""
    coverage(url=url, namespace="ml")
    assert "connections" not in capsys.readouterr().out


def test_connections_are_told_without_a_process_that_is_known() -> None:
    """A pod may have only libraries that nobody knows: then it is not said that nothing can be missed."""
    pod = {"namespace": "shop", **WHO, "processes": [], "connections": [BAD]}
    told = drawn(rows([("", pod)]), connections([("", pod)]))
    assert str(told[0]) == " 4 of 9 TLS connections to model APIs read"


@pytest.mark.parametrize(("namespace", "code"), [("", 1), ("shop", 1), ("ml", 0)])
def test_strict_is_an_exit_code(url: str, namespace: str, code: int) -> None:
    """Only of what was asked for: one that is not selected is nobody's mistake."""
    assert coverage(url=url, namespace=namespace, strict=True) == code
    assert coverage(url=url, namespace=namespace) == 0


def test_json_is_what_the_agent_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In ASCII; --strict still counts."""
    assert coverage(url=url, as_json=True, strict=True) == 1
    said = capsys.readouterr().out
    assert json.loads(said) == {"url": f"{url}/api/v1/coverage", **PODS}
    assert said.isascii()


def test_nothing_is_said_as_nothing(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Not as 100 %."""
    coverage(url=url, namespace="nobody's")
    assert "nothing is seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "reason"), [("/else/metrics", "status 404; podtab serves it at"), ("/behind/metrics", "has no list pods")]
)
def test_what_is_no_agent_is_told_with_what_to_do(url: str, path: str, reason: str) -> None:
    """Another server, or an agent whose page is off."""
    with pytest.raises(TopError, match=reason) as told:
        coverage(url=url + path)
    assert "page.enabled" in str(told.value)
