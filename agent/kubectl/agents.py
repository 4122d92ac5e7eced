"""
The agents of a cluster: found by label, asked through the API server's pod proxy, several at a time.

An agent that does not answer is a value with its remedy, never a silence: the sums are then partial, and say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

import orjson

from agent.kubectl.client import KubectlError, Reply, TimedOutError, Transport, UnreachableError
from agent.top.text import plain

T = TypeVar("T")

SELECTOR = "app.kubernetes.io/name=podtab"
# As many as one API server answers without queueing them; each answer may be megabytes.
PARALLEL = 16
_PAGE = 500
_DEFAULT_PORT = 9464


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    namespace: str
    pod: str
    node: str
    scheme: str
    port: int
    trouble: str = ""
    """Why it can't be asked, as its pod's status says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """An agent without an answer."""

    agent: Agent
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Generic[T]):
    given: Sequence[tuple[Agent, T]]
    silent: Sequence[Silent]
    notes: Sequence[str] = ()
    """What makes the sum doubtful although all answered."""


def find(api: Transport, *, namespace: str = "", selector: str = SELECTOR, node: str = "") -> list[Agent]:
    """The agents, by node.  Raises KubectlError where they can't be listed, or there is none."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods" if namespace else "/api/v1/pods"
    where = f"in namespace {plain(namespace)}" if namespace else "in any namespace"
    found: list[Agent] = []
    query = {"labelSelector": selector, "limit": str(_PAGE)}
    if node:
        query["fieldSelector"] = f"spec.nodeName={node}"
    token = ""
    while True:
        try:
            reply = api.get(path, query | ({"continue": token} if token else {}), accept="application/json")
        except UnreachableError as error:
            raise KubectlError(
                f"the API server can't be reached: {plain(error)}; does `kubectl version` work?"
            ) from None
        if reply.status == 403:
            hint = "" if namespace else ", or name the agents' namespace with --agent-namespace"
            raise KubectlError(
                f"you may not list pods {where}: ask for the right to list pods and to get pods/proxy "
                f"(docs/kubectl.md has a ClusterRole){hint}"
            )
        if reply.status == 401:
            raise KubectlError("the API server does not know you (401): log in again; does `kubectl get pods` work?")
        if reply.status != 200:
            raise KubectlError(f"the API server answers {reply.status} when asked for pods: {_message(reply)}")
        answer = _json(reply)
        items = answer.get("items")
        found += [agent for item in (items if isinstance(items, list) else []) if (agent := _agent(item)) is not None]
        token = str(_part(answer, "metadata").get("continue") or "")
        if not token:
            break
    if not found:
        on = f" on node {plain(node)}" if node else ""
        raise KubectlError(
            f"no agents found: no pod with {plain(selector)} {where}{on}; is podtab installed (helm list -A)? "
            "--agent-namespace and -l look elsewhere, `kubectl get daemonset -A -l app.kubernetes.io/name=podtab` says why pods are missing"
        )
    return sorted(found, key=lambda agent: (agent.node, agent.namespace, agent.pod))


def ask(
    api: Transport,
    agents: Sequence[Agent],
    path: str,
    query: Mapping[str, str],
    *,
    accept: str,
    read: Callable[[bytes], T],
) -> Answers[T]:
    """Everybody.  ``read`` raises ValueError, with the reason, for an answer that is none of ours."""

    def one(agent: Agent) -> T | Silent:
        return _ask_one(api, agent, path, query, accept, read)

    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="ask") as pool:
        said = list(pool.map(one, agents))
    given: list[tuple[Agent, T]] = []
    silent: list[Silent] = []
    for agent, answer in zip(agents, said, strict=True):
        if isinstance(answer, Silent):
            silent.append(answer)
        else:
            given.append((agent, answer))
    return Answers(given=given, silent=silent, notes=_doubts([agent for agent, _ in given]))


def _ask_one(
    api: Transport, agent: Agent, path: str, query: Mapping[str, str], accept: str, read: Callable[[bytes], T]
) -> T | Silent:
    where = f"kubectl -n {agent.namespace}"
    if agent.trouble:
        return Silent(agent=agent, reason=agent.trouble, remedy=f"{where} describe pod {agent.pod}")
    pod = quote(f"{agent.scheme}:{agent.pod}:{agent.port}", safe=":")
    try:
        reply = api.get(
            f"/api/v1/namespaces/{quote(agent.namespace, safe='')}/pods/{pod}/proxy{path}", query, accept=accept
        )
    except TimedOutError:
        return Silent(agent=agent, reason="no answer in time", remedy="try --request-timeout 1m")
    except UnreachableError as error:
        return Silent(agent=agent, reason=f"no answer: {plain(error)}", remedy=f"{where} logs {agent.pod}")
    if reply.status == 200:
        try:
            return read(reply.body)
        except ValueError as error:
            return Silent(
                agent=agent,
                reason=f"its answer can't be read: {plain(error)}",
                remedy="is this pod podtab's, of this plugin's version? --agent-namespace chooses",
            )
    reason, remedy = _refusal(agent, reply)
    return Silent(agent=agent, reason=reason, remedy=remedy)


def _refusal(agent: Agent, reply: Reply) -> tuple[str, str]:
    """The API server's own refusals are Status objects; anything else is the agent's."""
    where = f"kubectl -n {agent.namespace}"
    servers = _is_status(reply)
    if servers and reply.status == 403:
        return (
            "you may not use the pod proxy (403)",
            f'ask for the right to "get" on "pods/proxy" in namespace {agent.namespace}: docs/kubectl.md has the ClusterRole',
        )
    if servers and reply.status == 404:
        return "its pod is gone", "it was replaced meanwhile: run this again"
    if servers and reply.status == 429:
        return "the API server is busy (429)", "run this again later"
    if reply.status in (502, 503, 504) and servers:
        return (
            f"the API server can't reach it ({reply.status}): {_message(reply)}",
            f"{where} get pod {agent.pod}; a NetworkPolicy must let the API server in",
        )
    if reply.status == 404:
        return "it does not know what was asked (404)", "its version is older than this plugin: upgrade the chart"
    return f"it answers {reply.status}: {_message(reply)}", f"{where} logs {agent.pod}"


def _doubts(agents: Sequence[Agent]) -> list[str]:
    """Two agents of one node see the same calls; and anybody who can make pods can make one with our label."""
    notes = []
    doubled = sorted(node for node, count in Counter(agent.node for agent in agents).items() if count > 1)
    if doubled:
        notes.append(
            f"two agents on the same node see the same calls, which count twice: {', '.join(doubled[:5])}; "
            "choose with --agent-namespace or -l"
        )
    namespaces = sorted({agent.namespace for agent in agents})
    if len(namespaces) > 1:
        notes.append(
            f"agents in {len(namespaces)} namespaces were asked: {', '.join(namespaces[:5])}; "
            "whoever can make pods can make one with podtab's label: --agent-namespace chooses the one you trust"
        )
    return notes


# --------------------------------------------------------------------------------------------------------------- objects


def _agent(item: object) -> Agent | None:
    """None: a pod that has ended, or is about to."""
    metadata, spec, status = _part(item, "metadata"), _part(item, "spec"), _part(item, "status")
    phase = str(status.get("phase") or "Pending")
    if metadata.get("deletionTimestamp") or phase in ("Succeeded", "Failed"):
        return None
    trouble = "" if status.get("podIP") and phase == "Running" else f"its pod is {plain(phase, 50)}"
    if trouble:
        statuses = status.get("containerStatuses")
        for container in statuses if isinstance(statuses, list) else []:
            reason = _part(_part(container, "state"), "waiting").get("reason")
            trouble += f": {plain(reason, 100)}" if reason else ""
    annotations = _part(metadata, "annotations")
    return Agent(
        namespace=plain(metadata.get("namespace", "")),
        pod=plain(metadata.get("name", "")),
        node=plain(spec.get("nodeName") or "(no node)"),
        scheme="https" if annotations.get("prometheus.io/scheme") == "https" else "http",
        port=_port(spec),
        trouble=trouble,
    )


def _port(spec: Mapping[str, object]) -> int:
    """The container's port named metrics."""
    containers = spec.get("containers")
    for container in containers if isinstance(containers, list) else []:
        ports = container.get("ports") if isinstance(container, dict) else None
        for port in ports if isinstance(ports, list) else []:
            number = _part({"port": port}, "port").get("containerPort")
            if _part({"port": port}, "port").get("name") == "metrics" and isinstance(number, int):
                return number
    return _DEFAULT_PORT


def _part(value: object, name: str) -> Mapping[str, object]:
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _json(reply: Reply) -> Mapping[str, object]:
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise KubectlError("what answers is no API server: its answer is not JSON; is the kubeconfig right?")
    return value


def _is_status(reply: Reply) -> bool:
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        # The proxy's own errors are plain text in older servers.
        return reply.body.startswith(b"error trying to reach service")
    return isinstance(value, dict) and value.get("kind") == "Status"


def _message(reply: Reply) -> str:
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return plain(reply.body[:200].decode("utf-8", "replace").strip())
    told = (value.get("message") or value.get("error") or "") if isinstance(value, dict) else ""
    return plain(told, 200)
