"""Whether the API server answers, and whether it lets us list pods: one question, with a short time limit."""

from __future__ import annotations

from dataclasses import dataclass

from agent.config import Attribution, NameSource

_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    server: str
    """Its address; "" where even that is unknown."""
    problem: str = ""
    """"" when pods can be listed; else ``unconfigured``, ``unreachable``, ``denied`` or ``error``."""
    detail: str = ""


def ask(attribution: Attribution) -> ApiAnswer | None:
    """None where the configuration names pods without an API server."""
    source = attribution.source
    if source not in (NameSource.IN_CLUSTER, NameSource.KUBECONFIG):
        return None
    import urllib3
    from kubernetes import client
    from kubernetes import config as kube

    settings = client.Configuration()
    try:
        if source is NameSource.IN_CLUSTER:
            kube.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            context = attribution.context or None
            kube.load_kube_config(attribution.kubeconfig, context, client_configuration=settings)  # type: ignore[no-untyped-call]
    except (kube.ConfigException, OSError) as error:
        return ApiAnswer(server="", problem="unconfigured", detail=str(error))
    settings.retries = False
    try:
        with client.ApiClient(settings) as connection:
            client.CoreV1Api(connection).list_pod_for_all_namespaces(limit=1, _request_timeout=_TIMEOUT_SECONDS)
    except client.ApiException as error:
        problem = "denied" if error.status in (401, 403) else "error"
        return ApiAnswer(server=settings.host, problem=problem, detail=f"HTTP {error.status} {error.reason}")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return ApiAnswer(server=settings.host, problem="unreachable", detail=type(error).__name__)
    return ApiAnswer(server=settings.host)
