"""
A whole real Kubernetes node on this machine: etcd, API server, controller manager, scheduler, containerd, kubelet, kube-proxy, Prometheus.

All of it lives in a network namespace and a state folder of its own; deleting both leaves nothing.  ``python -m tests.cluster.node up``.
"""
