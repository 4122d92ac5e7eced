"""A real kube-apiserver with etcd behind it, on loopback, with its own certificates and with RBAC in force."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ADMIN, AGENT = "admin-token", "agent-token"
_PATIENCE_SECONDS = 60.0


@dataclass
class ApiServer:
    """``kubeconfig`` is the agent's, with no more rights than the chart gives; ``call`` is an administrator's."""

    program: Path
    folder: Path
    port: int
    etcd_port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def start(self) -> None:
        run = self.folder
        options = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": str(self.port),
            "cert-dir": str(run / "certificates"),
            "authorization-mode": "RBAC",
            # The chart's default profile.
            "allow-privileged": "true",
            "token-auth-file": str(run / "tokens.csv"),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(run / "sa.key"),
            "service-account-signing-key-file": str(run / "sa.key"),
            "service-cluster-ip-range": "10.96.0.0/16",
            "disable-admission-plugins": "ServiceAccount",
        }
        with (run / "apiserver.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._ready():
            assert self.process.poll() is None, (run / "apiserver.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the API server did not get ready"
            time.sleep(0.2)

    def stop(self) -> None:
        """At once, as when it crashes: a polite one waits a minute for open watches."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _ready(self) -> bool:
        try:
            self.call("GET", "/readyz")
        except OSError:
            return False
        return True

    def call(self, method: str, path: str, body: object = None, token: str = ADMIN) -> Any:
        """One request; raises OSError (HTTPError) where it is refused."""
        data = None if body is None else json.dumps(body).encode()
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            data,
            {"Authorization": f"Bearer {token}", "Content-Type": content},
            method=method,
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(request, context=context, timeout=10) as response:
            text = response.read().decode()
        return json.loads(text) if text.startswith("{") else text


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def api_server(program: Path, folder: Path) -> Iterator[ApiServer]:
    """Started, and with nothing in it; everything is gone afterwards."""
    etcd_port, peer_port = _free_port(), _free_port()
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n{AGENT},agent,2\n')
    subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
    etcd = shutil.which("etcd")
    assert etcd, "etcd is installed by scripts/test"
    urls = {
        "listen-client-urls": etcd_port,
        "advertise-client-urls": etcd_port,
        "listen-peer-urls": peer_port,
        "initial-advertise-peer-urls": peer_port,
    }
    options = [f"--{name}=http://127.0.0.1:{port}" for name, port in urls.items()]
    options += [f"--initial-cluster=default=http://127.0.0.1:{peer_port}", f"--data-dir={folder / 'etcd'}"]
    server = ApiServer(program=program, folder=folder, port=_free_port(), etcd_port=etcd_port)
    server.kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [
                    {
                        "name": "test",
                        "cluster": {
                            "server": f"https://127.0.0.1:{server.port}",
                            "certificate-authority": str(folder / "certificates" / "apiserver.crt"),
                        },
                    }
                ],
                "users": [{"name": "agent", "user": {"token": AGENT}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "agent"}}],
            }
        )
    )
    environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine}
    with (
        (folder / "etcd.log").open("wb") as log,
        subprocess.Popen([etcd, *options], stdout=log, stderr=log, env=environment) as store,
    ):
        try:
            server.start()
            yield server
        finally:
            store.kill()
            server.stop()
