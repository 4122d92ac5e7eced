"""
The plugin's commands.  No logic: each reads its options, calls one function, and turns an error into one sentence.

kubectl runs the program ``kubectl-podtab`` for ``kubectl podtab``; the flags are spelt as kubectl spells them.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agent import __version__
from agent.model import PodtabError

if TYPE_CHECKING:
    from agent.kubectl.client import Access

_EXAMPLES = """
What pods spend on AI, over all nodes, through the API server and with your own rights.

Examples:

  kubectl podtab top                        # what each pod of this namespace has spent

  kubectl podtab top -A --by team           # who spends, over the whole cluster

  kubectl podtab calls web-0 -w             # calls of one pod as they come

  kubectl podtab coverage -A                # what can't be read, and why

  kubectl podtab doctor --node worker-3     # what capture lacks on one node

Needs the rights to list pods and to get pods/proxy where the agents run. Exit codes: 0 whole, 1 an error, 3 partial.
"""

app = typer.Typer(
    name="kubectl podtab",
    help=_EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Kubeconfig = Annotated[str, typer.Option("--kubeconfig", help="The kubeconfig file; else KUBECONFIG, ~/.kube/config.")]
Context = Annotated[str, typer.Option("--context", help="The kubeconfig's context to use.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Pods of this namespace; else the context's.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Pods of all namespaces.")]
Timeout = Annotated[str, typer.Option("--request-timeout", help="For each agent: 10s, 1m, 1m30s; 0 means none.")]
AgentNamespace = Annotated[
    str,
    typer.Option("--agent-namespace", envvar="PODTAB_AGENT_NAMESPACE", help="Where the agents run; else everywhere."),
]
Selector = Annotated[str, typer.Option("--selector", "-l", help="Label selector of the agents' pods.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table; null is not known.")]
_LABEL = "app.kubernetes.io/name=podtab"


def main() -> None:
    """Entry point of ``kubectl-podtab``."""
    try:
        app(prog_name="kubectl podtab")
    except PodtabError as error:
        typer.echo(f"kubectl podtab: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kubectl podtab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def top(
    by: Annotated[str, typer.Option(help="One row a pod, workload, namespace, team or model.")] = "pod",
    sort: Annotated[str, typer.Option(help="cost, calls, tokens, errors or name.")] = "cost",
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    request_timeout: Timeout = "10s",
    agent_namespace: AgentNamespace = "",
    selector: Selector = _LABEL,
) -> None:
    """What each pod (workload, namespace, team, model) has spent, added up over all nodes.

    Figures are those of the agents' /metrics, so the same as in Prometheus: since each agent started, of the pods it still knows.

    Examples:  kubectl podtab top -n shop  |  kubectl podtab top -A --by model --sort tokens  |  watch -n5 kubectl podtab top
    """
    from agent.kubectl.agents import find
    from agent.kubectl.top import top as show

    access = _connect(kubeconfig, context, request_timeout)
    only = "" if all_namespaces else namespace or access.namespace
    agents = find(access.api, namespace=agent_namespace, selector=selector)
    raise typer.Exit(show(access.api, agents, by=by, sort=sort, namespace=only, as_json=as_json))


@app.command()
def calls(
    pod: Annotated[str, typer.Argument(help="The pod's name.")],
    limit: Annotated[int, typer.Option(help="At most so many, newest first.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on as calls come, oldest first, until Ctrl-C.")
    ] = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    request_timeout: Timeout = "10s",
    agent_namespace: AgentNamespace = "",
    selector: Selector = _LABEL,
) -> None:
    """The last calls of one pod: model, tokens, cost, times and how well they are known.  Never what was said.

    Examples:  kubectl podtab calls web-0 -n shop  |  kubectl podtab calls web-0 -w --json | jq .cost_usd
    """
    from agent.kubectl.agents import find
    from agent.kubectl.calls import calls as show

    access = _connect(kubeconfig, context, request_timeout)
    agents = find(access.api, namespace=agent_namespace, selector=selector)
    only = namespace or access.namespace
    raise typer.Exit(show(access.api, agents, pod=pod, namespace=only, limit=limit, watch=watch, as_json=as_json))


@app.command()
def coverage(
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    request_timeout: Timeout = "10s",
    agent_namespace: AgentNamespace = "",
    selector: Selector = _LABEL,
) -> None:
    """Which processes' calls can be read, which can't, why, and what to do about it.

    Examples:  kubectl podtab coverage  |  kubectl podtab coverage -A --json
    """
    from agent.kubectl.agents import find
    from agent.kubectl.coverage import coverage as show

    access = _connect(kubeconfig, context, request_timeout)
    only = "" if all_namespaces else namespace or access.namespace
    agents = find(access.api, namespace=agent_namespace, selector=selector)
    raise typer.Exit(show(access.api, agents, namespace=only, as_json=as_json))


@app.command()
def doctor(
    node: Annotated[str, typer.Option(help="Only this node.")] = "",
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    request_timeout: Timeout = "10s",
    agent_namespace: AgentNamespace = "",
    selector: Selector = _LABEL,
) -> None:
    """Does capture have what it needs, on every node?  Exit code 1 when a node can't capture.

    Examples:  kubectl podtab doctor  |  kubectl podtab doctor --node worker-3
    """
    from agent.kubectl.agents import find
    from agent.kubectl.doctor import doctor as show

    access = _connect(kubeconfig, context, request_timeout)
    agents = find(access.api, namespace=agent_namespace, selector=selector, node=node)
    raise typer.Exit(show(access.api, agents, as_json=as_json))


def duration(text: str) -> float | None:
    """kubectl's: a whole number of seconds, or 1h2m3s with units; 0 is no limit.  Raises PodtabError."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text) if not text.isdigit() else [(text, "s")]
    if not parts or ("".join(number + unit for number, unit in parts) != text and not text.isdigit()):
        raise PodtabError(f"--request-timeout {text}: is not a duration such as 10s, 1m30s or 0")
    return sum(float(number) * units[unit] for number, unit in parts) or None


def _connect(kubeconfig: str, context: str, request_timeout: str) -> Access:
    seconds = duration(request_timeout)
    from agent.kubectl.agents import PARALLEL
    from agent.kubectl.client import connect

    return connect(kubeconfig=kubeconfig, context=context, parallel=PARALLEL, timeout_seconds=seconds)
