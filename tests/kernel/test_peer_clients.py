"""
Whom a connection goes to, more real clients: with runtimes, threads and TLS of their own, in HTTP/2, in a network of their own.  None is told wrongly, and all are told.

Each server is another port, and each call's model is the port that was asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from tests import rust
from tests.kernel import packages, tls
from tests.kernel.http2_models import Http2Model
from tests.kernel.plain_server import ANSWERS_AFTER, HOSTS, PlainServer
from tests.kernel.test_peer import PATH, PYTHON, told
from tests.kernel.test_tls_rustls import with_cookies
from tests.kernel.tls import Client
from tests.kernel.watcher import Watcher

pytestmark = pytest.mark.kernel

Watch = Callable[[str], tuple[Kernel, Watcher]]
TIMES = 3


@pytest.fixture
def http2_models(certificates: tuple[Path, Path]) -> Iterator[list[Http2Model]]:
    made = [Http2Model(host, certificates, ANSWERS_AFTER) for host in HOSTS]
    yield made
    for server in made:
        server.close()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_httpx(watch: Watch, models: list[PlainServer], version: str) -> None:
    """As the SDKs ask: HTTP/1.1 by anyio, five connections to each at once."""
    _, watcher = watch(tls.LIBSSL)
    command = [*PYTHON, "httpx", str(TIMES), *(model.url + PATH for model in models for _ in range(5))]
    watcher.run(command, {"TLS": version})
    assert len(watcher.calls) == 5 * TIMES * len(models)
    assert told(watcher, models) == 1


def test_httpx_in_http2(watch: Watch, http2_models: list[Http2Model]) -> None:
    """Five streams at once on one connection to each."""
    _, watcher = watch(tls.LIBSSL)
    watcher.run([*PYTHON, "httpx", str(TIMES), *(model.url + PATH for model in http2_models for _ in range(5))])
    assert len(watcher.calls) == 5 * TIMES * len(http2_models)
    assert told(watcher, http2_models) == 1


HTTP2_OF_NODE = """
const http2 = require("node:http2");
const [times, ...urls] = process.argv.slice(1);
const sessions = urls.map((url) => http2.connect(url, {rejectUnauthorized: false}));
const ask = (session, url) => new Promise((resolve, reject) => {
  const stream = session.request({":method": "POST", ":path": new URL(url).pathname, "content-type": "application/json"});
  stream.on("error", reject).on("end", resolve).resume();
  stream.end(JSON.stringify({model: "port-" + new URL(url).port, messages: []}));
});
(async () => {
  for (let time = 0; time < times; time++) await Promise.all(sessions.flatMap((one, number) => [ask(one, urls[number]), ask(one, urls[number])]));
  sessions.forEach((one) => one.close());
})();
"""


def test_http2_of_node(watch: Watch, http2_models: list[Http2Model]) -> None:
    """Two connections to each, two streams at once on each."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    _, watcher = watch(node if b"SSL_write" in Path(node).read_bytes() else tls.LIBSSL)
    watcher.run(
        [node, "-e", HTTP2_OF_NODE, str(TIMES), *(model.url + PATH for model in http2_models for _ in range(2))]
    )
    assert len(watcher.calls) == 4 * TIMES * len(http2_models)
    assert told(watcher, http2_models) == 1


GRPC = """
import sys, grpc
with open(sys.argv[1], "rb") as file:
    trusted = grpc.ssl_channel_credentials(file.read())
options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.default_authority", "us-central1-aiplatform.googleapis.com"), ("grpc.use_local_subchannel_pool", 1)]
def asked(address):
    model = b"projects/acme/locations/us-central1/publishers/google/models/port-" + address.rpartition(":")[2].encode()
    return b"\\x12\\x0f\\x0a\\x04user\\x12\\x07\\x0a\\x05hello" + b"\\x2a" + bytes([len(model)]) + model
calls = [(grpc.secure_channel(address, trusted, options).unary_unary("/google.cloud.aiplatform.v1.PredictionService/GenerateContent"), asked(address)) for address in sys.argv[3:]]
for _ in range(int(sys.argv[2])):
    for answer in [call.future(body, timeout=20) for call, body in calls]:
        answer.result()
"""


def test_grpc_of_python(watch: Watch, http2_models: list[Http2Model], certificates: tuple[Path, Path]) -> None:
    """BoringSSL of its own, threads of its own; two channels to each."""
    _, watcher = watch(str(packages.GRPCIO.file()))
    command = [sys.executable, "-I", "-c", packages.importing(packages.GRPCIO) + GRPC, str(certificates[0]), str(TIMES)]
    watcher.run([*command, *(model.url.removeprefix("https://") for model in http2_models for _ in range(2))])
    assert len(watcher.calls) == 2 * TIMES * len(http2_models)
    assert told(watcher, http2_models) == 1


BUN = """
const [times, ...urls] = process.argv.slice(1);
const ask = async (url) => {
  const body = JSON.stringify({model: "port-" + new URL(url).port, messages: []});
  const answer = await fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}, tls: {rejectUnauthorized: false}});
  await answer.text();
};
for (let time = 0; time < times; time++) await Promise.all(urls.map(ask));
"""


def test_bun(watch: Watch, models: list[PlainServer]) -> None:
    """BoringSSL over memory; two connections to each."""
    program = str(packages.BUN.file())
    _, watcher = watch(program)
    watcher.run([program, "-e", BUN, str(TIMES), *(model.url + PATH for model in models for _ in range(2))])
    assert len(watcher.calls) == 2 * TIMES * len(models)
    assert told(watcher, models) == 1


def test_rustls(kernel: Kernel, watch: Watch, models: list[PlainServer]) -> None:
    """It knows of no descriptor; two connections to each, one thread, one after another."""
    with_cookies(kernel)
    program = str(rust.build("rustls", "new"))
    _, watcher = watch(program)
    reached = [model for model in models if "127.0.0.1" in model.url]
    client = Client([program], 0)
    try:
        client.begin(f"ask localhost {' '.join(f'{model.port} {model.port}' for model in reached)}")
        watcher.until(lambda: len(watcher.calls) == 6 * len(reached))
        client.wait()
    finally:
        client.kill()
    assert len(watcher.calls) == 6 * len(reached)
    assert told(watcher, reached) == 1


@pytest.fixture
def namespace() -> Iterator[tuple[list[str], str]]:
    """How to start who has a network of his own, as a pod has, and our address there.  It goes with the process that holds it, whatever becomes of us."""
    ours, theirs, link = "169.254.77.1", "169.254.77.2", f"podtab{os.getpid()}"
    command = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        enter = ["nsenter", f"--target={holder.pid}", "--net", "--"]
        try:
            for command in (
                ["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid)],
                ["ip", "address", "add", f"{ours}/30", "dev", link],
                ["ip", "link", "set", link, "up"],
                [*enter, "ip", "address", "add", f"{theirs}/30", "dev", "eth0"],
                [*enter, "ip", "link", "set", "eth0", "up"],
            ):
                subprocess.run(command, check=True)
            yield enter, ours
        finally:
            subprocess.run(["ip", "link", "delete", link], check=False)
            holder.kill()


@pytest.mark.parametrize("kind", ["requests", "aiohttp"])
def test_in_a_network_of_its_own(
    watch: Watch, namespace: tuple[list[str], str], certificates: tuple[Path, Path], kind: str
) -> None:
    """Its descriptors and its packets are looked at from outside."""
    enter, address = namespace
    models = [PlainServer(address, certificate=certificates, answers_after=ANSWERS_AFTER) for _ in range(2)]
    try:
        _, watcher = watch(tls.LIBSSL)
        watcher.run([*enter, *PYTHON, kind, str(TIMES), *(model.url + PATH for model in models for _ in range(2))])
    finally:
        for model in models:
            model.close()
    assert len(watcher.calls) == 2 * TIMES * len(models)
    assert told(watcher, models) == 1
