"""
`helm test`: every agent of the release is ready, and its figures can be read.

Runs in a pod of its own, with the standard library only.  A service would name only the agents that are ready, so the pods are asked of
the API server.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PATIENCE_SECONDS = 180.0
NEEDED = ("podtab_build_info", "podtab_capture_libraries", "podtab_capture_kernel_events_total")


def get(url: str, token: str = "", authority: str | None = None) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    context = ssl.create_default_context(cafile=authority) if url.startswith("https:") else None
    with urllib.request.urlopen(request, timeout=10, context=context) as response:
        return str(response.read().decode())


def agents(api: str, namespace: str, selector: str, token: str, authority: str | None) -> list[tuple[str, str, str]]:
    """(pod, node, address) of every agent that is not on its way out."""
    query = urllib.parse.urlencode({"labelSelector": selector})
    answer = json.loads(get(f"{api}/api/v1/namespaces/{namespace}/pods?{query}", token, authority))
    return [
        (pod["metadata"]["name"], pod["spec"].get("nodeName", ""), pod["status"].get("podIP", ""))
        for pod in answer["items"]
        if "deletionTimestamp" not in pod["metadata"]
    ]


def complaint(address: str, port: str) -> str:
    """What is wrong with one agent; "" is nothing."""
    if not address:
        return "has no address yet: is it running?"
    host = f"[{address}]" if ":" in address else address
    try:
        get(f"http://{host}:{port}/readyz")
        page = get(f"http://{host}:{port}/metrics")
    except urllib.error.HTTPError as error:
        return f"{error.url} answers {error.code}: {error.read(500).decode(errors='replace').strip()}"
    except OSError as error:
        return f"does not answer on port {port}: {error}"
    missing = [name for name in NEEDED if f"\n{name}" not in page]
    return f"/metrics lacks {', '.join(missing)}" if missing else ""


def main() -> int:
    token_file, authority = os.path.join(ACCOUNT, "token"), os.path.join(ACCOUNT, "ca.crt")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    api = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    with open(token_file, encoding="ascii") as file:
        token = file.read().strip()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = agents(api, os.environ["NAMESPACE"], os.environ["SELECTOR"], token, authority)
        wrong = {(pod, node): complaint(address, os.environ["PORT"]) for pod, node, address in found}
        good = bool(found) and not any(wrong.values())
        if good or time.monotonic() > deadline:
            break
        time.sleep(3)
    for (pod, node), words in sorted(wrong.items()):
        print(f"{'FAIL' if words else 'ok'}  {pod} on {node or 'no node'}  {words}")
    print(f"{len(found)} agents, {sum(1 for words in wrong.values() if words)} with a complaint")
    if not found:
        print("FAIL  no agent in this namespace: is the DaemonSet there, and may its pods be made (Pod Security)?")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
