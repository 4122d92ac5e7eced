"""``python -m tests.cluster.node up | down``: the cluster for a person to play with."""

from __future__ import annotations

import os
import sys

from tests.cluster.node import cluster, programs, prometheus, workloads
from tests.cluster.node.layout import KUBECONFIG, PROMETHEUS


def main() -> int:
    if sys.argv[1:] not in (["up"], ["down"]):
        print("usage: python -m tests.cluster.node up|down", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("cluster: needs root, for namespaces, containers and probes (run: sudo make cluster-up)", file=sys.stderr)
        return 2
    if sys.argv[1] == "down":
        cluster.down()
        for trace in cluster.remains():
            print(f"cluster: left behind: {trace}", file=sys.stderr)
        return 1 if cluster.remains() else 0
    try:
        cluster.up()
        workloads.make_namespaces()
        workloads.start_provider()
        cluster.install("privileged")
        prometheus.start(prometheus.by_annotations())
    except (RuntimeError, AssertionError) as error:
        print(
            f"cluster: {error}\ncluster: logs are in {programs.LOGS}; make cluster-down takes it away", file=sys.stderr
        )
        return 1
    cluster.apply(
        *(workloads.manifest(workload, rounds=1_000) for workload in workloads.CAST if workload.kind != "CronJob")
    )
    print(cluster.summary())
    print(f"Prometheus: {PROMETHEUS}   (sum by (namespace, workload) (podtab_cost_usd_total))")
    print(f"helm:       helm --kubeconfig {KUBECONFIG} -n ai-cost status podtab")
    print("away:       make cluster-down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
