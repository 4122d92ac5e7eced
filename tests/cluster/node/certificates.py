"""The cluster's certificate authority and what it signs, by the ``openssl`` command; good for two days."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import yaml

from tests.cluster.node.layout import API, API_SERVICE_IP, CERTIFICATES, HOST_IP, NODE, NODE_IP, STATE

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
DAYS = "2"
# File name → subject.  Groups are organisations: https://kubernetes.io/docs/setup/best-practices/certificates/
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "api-to-kubelet": "/O=system:masters/CN=kube-apiserver-kubelet-client",
}
SERVERS = {
    "apiserver": (
        "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost",
        f"IP:{NODE_IP}", f"IP:{API_SERVICE_IP}", "IP:127.0.0.1", f"IP:{HOST_IP}",
    ),
    "kubelet-server": (f"DNS:{NODE}", f"IP:{NODE_IP}"),
}  # fmt: skip


def make() -> None:
    """CA, service accounts' key, all certificates, and a kubeconfig for each client."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    ca, ca_key = CERTIFICATES / "ca.pem", CERTIFICATES / "ca.key"
    _openssl("req", "-x509", *CURVE, "-days", DAYS, "-subj", "/CN=podtab test cluster", "-keyout", ca_key, "-out", ca)
    _openssl("genrsa", "-out", CERTIFICATES / "service-accounts.key", "2048")
    _openssl(
        "rsa", "-in", CERTIFICATES / "service-accounts.key", "-pubout", "-out", CERTIFICATES / "service-accounts.pub"
    )
    for name, subject in CLIENTS.items():
        _sign(name, subject, "extendedKeyUsage=clientAuth\n")
    for name, names in SERVERS.items():
        _sign(name, f"/CN={name}", f"extendedKeyUsage=serverAuth\nsubjectAltName={','.join(names)}\n")
    for name in CLIENTS:
        kubeconfig(name)


def kubeconfig(client: str) -> Path:
    """A kubeconfig with everything inside, so that one file can be copied."""
    embed = {
        kind: base64.b64encode((CERTIFICATES / file).read_bytes()).decode()
        for kind, file in (("ca", "ca.pem"), ("certificate", f"{client}.pem"), ("key", f"{client}.key"))
    }
    path = STATE / f"{client}.kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "podtab",
                "clusters": [{"name": "podtab", "cluster": {"server": API, "certificate-authority-data": embed["ca"]}}],
                "users": [
                    {
                        "name": client,
                        "user": {
                            "client-certificate-data": embed["certificate"],
                            "client-key-data": embed["key"],
                        },
                    }
                ],
                "contexts": [{"name": "podtab", "context": {"cluster": "podtab", "user": client}}],
            }
        )
    )
    path.chmod(0o600)
    return path


def _sign(name: str, subject: str, extensions: str) -> None:
    request, settings = CERTIFICATES / f"{name}.csr", CERTIFICATES / f"{name}.ext"
    settings.write_text(extensions)
    _openssl("req", "-new", *CURVE, "-subj", subject, "-keyout", CERTIFICATES / f"{name}.key", "-out", request)
    _openssl(
        "x509", "-req", "-days", DAYS, "-in", request, "-CA", CERTIFICATES / "ca.pem", "-CAkey", CERTIFICATES / "ca.key",
        "-CAcreateserial", "-extfile", settings, "-out", CERTIFICATES / f"{name}.pem",
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()[-300:]}")
