"""The agent's loop where both ends of every connection are watched, and gateways that end TLS and speak it again."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.capture.kernel import Kernel
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Chunk, Closed, Opened, PricedCall, Quarantined, Verdict
from agent.pipeline.gateways import Gateways
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer
from tests.kernel import packages
from tests.kernel.tls import Provider

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  upstream provider {{ server 127.0.0.1:{port}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{listen} ssl http2;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{
      proxy_pass https://provider; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Host api.openai.com; proxy_set_header Connection "";
    }}
  }}
}}
"""
ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {listen}}}}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [{{certificate_chain: {{filename: "{certificate}"}}, private_key: {{filename: "{key}"}}}}]
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: provider, host_rewrite_literal: api.openai.com}}}}]
  clusters:
  - name: provider
    load_assignment:
      cluster_name: provider
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: {{alpn_protocols: [h2]}}
"""


@contextmanager
def gateway(name: str, folder: Path, provider: Provider, certificates: tuple[Path, Path]) -> Iterator[tuple[int, int]]:
    """Its pid and port, once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    config = (NGINX if name == "nginx" else ENVOY).format(
        folder=folder, port=provider.port, listen=listen, certificate=certificates[0], key=certificates[1]
    )
    (folder / "config").write_text(config, encoding="utf-8")
    command = ["nginx", "-c", folder / "config"]
    if name == "envoy":
        command = [packages.ENVOY.file(), "--config-yaml", config, "--concurrency", "1", "--disable-hot-restart"]
        command += ["--log-level", "off"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _listening(listen)
            yield process.pid, listen
        finally:
            process.kill()


def _listening(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the gateway does not listen")


class Agent:
    """Kernel → core → gateways, and verdicts back to the kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._core = Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=Pricer().price)
        self._gateways = Gateways(self._core.within_another)
        self.calls: list[PricedCall] = []
        self.verdicts: dict[int, set[str]] = {}
        """By process: why its connections were judged as they were."""
        self.quarantined: list[Quarantined] = []

    def until(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < end, (self.verdicts, len(self.calls))
            self.take()
            time.sleep(0.005)

    def take(self) -> None:
        ended: list[PricedCall] = []
        for happening in self._kernel.poll():
            if not isinstance(happening, Opened | Chunk | Closed):
                continue
            for output in self._core.receive(happening):
                if isinstance(output, PricedCall):
                    ended.append(output)
                elif isinstance(output, Verdict):
                    self._kernel.judge(output)
                    self.verdicts.setdefault(output.conn.pid, set()).add(output.reason)
                elif isinstance(output, Quarantined):
                    self.quarantined.append(output)
        self.calls += self._gateways.take_together(ended, time.time_ns())
        self.calls += self._gateways.release(time.time_ns())

    def run(self, command: list[str]) -> int:
        """Watches while it runs; its pid."""
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            self.until(lambda: process.poll() is not None, 60)
        assert process.returncode == 0
        self.take()
        return process.pid
