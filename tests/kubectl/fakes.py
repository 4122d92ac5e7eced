"""A fake API server: pods by list, their answers by pod and path."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from agent.kubectl.client import Reply

FORBIDDEN = Reply(
    status=403, body=b'{"kind":"Status","message":"pods \\"x\\" is forbidden: cannot get resource \\"pods/proxy\\""}'
)


def pod(name: str, node: str, namespace: str = "ai-cost", **status: Any) -> dict[str, Any]:
    """As the API server lists it."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": node, "containers": [{"ports": [{"name": "metrics", "containerPort": 9999}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", **status},
    }


class FakeApi:
    """``answers``: (pod, path) → reply, or an exception to raise."""

    def __init__(self, pods: list[dict[str, Any]]) -> None:
        self.pods = pods
        self.answers: dict[tuple[str, str], Reply | Exception] = {}
        self.list_reply: Reply | Exception | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []

    def says(self, name: str, path: str, value: object) -> None:
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.answers[name, path] = Reply(status=200, body=body)

    def get(self, path: str, query: Mapping[str, str], *, accept: str) -> Reply:
        self.asked.append((path, dict(query)))
        if "/proxy" not in path:
            if self.list_reply is None:
                # Two a page, so that paging is what every test does.
                start = int(query.get("continue", "0"))
                more = str(start + 2) if start + 2 < len(self.pods) else ""
                document = {"metadata": {"continue": more}, "items": self.pods[start : start + 2]}
                return Reply(status=200, body=json.dumps(document).encode())
            reply: Reply | Exception = self.list_reply
        else:
            head, _, rest = path.partition("/proxy")
            name = urllib.parse.unquote(head.rpartition("/")[2]).split(":")[1]
            reply = self.answers.get((name, rest), Reply(status=404, body=b"podtab: /metrics\n"))
        if isinstance(reply, Exception):
            raise reply
        return reply
