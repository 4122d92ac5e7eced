"""
OpenSSL and BoringSSL built in and stripped, real probes, real TLS: what capture says is what the server's books say.

Functions are found by signatures alone: a test of its own says that no symbol is left that would help.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel
from agent.capture.plan import Plan, Role
from agent.capture.selection import Choice
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.targets import Targets
from agent.model import Chunk, Closed, Direction, Process
from tests.kernel import packages, tls
from tests.kernel.client import PATTERN
from tests.kernel.http2_books import PREFACE, Http2Server
from tests.kernel.tls import Client
from tests.kernel.web import HttpsServer

pytestmark = pytest.mark.kernel

STATIC_LIBRARIES = ["-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread"]


def sites(path: Path, *, uretprobe_safe: bool = True) -> Plan:
    with path.open("rb") as file:
        found = plan(ElfFile(file), Abilities(uretprobe_safe=uretprobe_safe))
    assert found.sites, found
    return found


def of_files(happened: list[tls.Happening]) -> dict[Direction, list[bytes]]:
    """Each direction's streams, whatever process had them."""
    found: dict[Direction, list[bytes]] = {Direction.SENT: [], Direction.RECEIVED: []}
    for pid in sorted({one.conn.pid for one in happened if isinstance(one, Chunk)}):
        for (_, direction), data in tls.streams(happened, pid).items():
            found[direction].append(data)
    return found


# ------------------------------------------------------------------------------------------------------ static programs


@pytest.fixture(scope="module")
def static_client(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The C client with the distribution's libssl.a: position-independent and with fixed addresses, both stripped."""
    folder = tmp_path_factory.mktemp("static")
    made = []
    for name, options in {"pie": ["-pie"], "fixed": ["-no-pie"]}.items():
        whole = folder / f"whole-{name}"
        source = tls.FOLDER / "native" / "client.c"
        subprocess.run(["cc", "-O2", *options, source, "-o", whole, *STATIC_LIBRARIES], check=True)
        made.append(folder / name)
        subprocess.run(["strip", "-o", made[-1], whole], check=True)
    return made


@pytest.mark.parametrize("number", [0, 1], ids=["pie", "fixed"])
def test_a_stripped_static_program(kernel: Kernel, server: tls.Server, static_client: list[Path], number: int) -> None:
    """Every byte both ways, in order, and each connection's end, though SSL_free has no name any more."""
    program = static_client[number]
    client = Client([str(program)], server.port)
    try:
        tls.converse(kernel, client, str(program), sites(program), "call")
    finally:
        client.kill()


# ---------------------------------------------------------------------------------------------- modules and other programs


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


PYTHON: dict[str, tuple[packages.Build, str]] = {
    "pyopenssl": (
        packages.PYOPENSSL,
        """
import socket, sys
from OpenSSL import SSL
context = SSL.Context(SSL.TLS_CLIENT_METHOD)
for _ in range(2):
    connection = SSL.Connection(context, socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    connection.set_connect_state()
    connection.do_handshake()
    connection.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 30000\\r\\n\\r\\n" + b"p" * 30000)
    try:
        while connection.recv(65536):
            pass
    except (SSL.ZeroReturnError, SSL.SysCallError):
        pass
    connection.close()
    del connection
""",
    ),
    "curl_cffi": (
        packages.CURL_CFFI,
        """
import sys
from curl_cffi import requests
for _ in range(2):
    requests.post(f"https://127.0.0.1:{sys.argv[1]}/", data=b"p" * 30000, verify=False, http_version="v1")
""",
    ),
}


@pytest.mark.parametrize("name", PYTHON)
def test_modules_of_python(kernel: Kernel, web: HttpsServer, name: str) -> None:
    """OpenSSL 4.0 inside cryptography's module, BoringSSL inside curl_cffi's: two connections each, and not a byte more or less."""
    build, script = PYTHON[name]
    converse(kernel, web, build, [sys.executable, "-I", "-c", packages.importing(build) + script, str(web.port)], 2)


def test_bun(kernel: Kernel, web: HttpsServer) -> None:
    """BoringSSL inside a program of fixed addresses without an unwind table."""
    script = f"""
for (let n = 0; n < 2; n++) {{
  const answer = await fetch("https://127.0.0.1:{web.port}/", {{method: "POST", body: "p".repeat(30000), tls: {{rejectUnauthorized: false}}}});
  await answer.arrayBuffer();
}}"""
    converse(kernel, web, packages.BUN, [str(packages.BUN.file()), "-e", script], 2)


def test_grpc_of_python(kernel: Kernel, certificates: tuple[Path, Path]) -> None:
    """BoringSSL inside grpcio's module, through memory BIOs: both directions of its HTTP/2 connection, frame by frame."""
    server = Http2Server(certificates)
    script = """
import sys, grpc
with open(sys.argv[2], "rb") as file:
    trusted = grpc.ssl_channel_credentials(file.read())
options = [("grpc.ssl_target_name_override", "localhost")]
with grpc.secure_channel(f"127.0.0.1:{sys.argv[1]}", trusted, options) as channel:
    try:
        channel.unary_unary("/a.Service/Call")(b"p" * 30000, timeout=20)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
"""
    library = packages.GRPCIO.file()
    command = [sys.executable, "-I", "-c", packages.importing(packages.GRPCIO) + script]
    link = kernel.attach(str(library), sites(library).sites)
    try:
        done = subprocess.run(
            [*command, str(server.port), str(certificates[0])], capture_output=True, timeout=60, check=False, text=True
        )
        assert not done.returncode, done.stderr
        happened = tls.until(kernel, lambda happened: any(isinstance(one, Closed) for one in happened))
    finally:
        link.close()
        server.close()
    found = of_files(happened)
    assert found[Direction.SENT] == [bytes(one) for one in server.received]
    assert found[Direction.RECEIVED] == [bytes(one) for one in server.sent]
    assert found[Direction.SENT][0].startswith(PREFACE)


ENVOY_CONFIG = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {listen}}}}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: upstream
  clusters:
  - name: upstream
    load_assignment:
      cluster_name: upstream
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
"""


@pytest.fixture
def envoy(web: HttpsServer) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A gateway that takes plaintext and speaks TLS upstream."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    config = ENVOY_CONFIG.format(listen=listen, port=web.port)
    command = [packages.ENVOY.file(), "--config-yaml", config, "--concurrency", "1", "--disable-hot-restart"]
    with subprocess.Popen([*command, "--log-level", "off"], stderr=subprocess.DEVNULL) as process:
        yield process, listen
        process.kill()


def test_envoy(kernel: Kernel, web: HttpsServer, envoy: tuple[subprocess.Popen[bytes], int]) -> None:
    """BoringSSL inside Envoy, found as the agent finds it: by what the process maps."""
    process, listen = envoy

    def choose(found: Process) -> Choice:
        return Choice.SELECTED if found.pid == process.pid else Choice.UNSELECTED

    def planner(elf: ElfFile) -> Plan:
        return plan(elf, Abilities(uretprobe_safe=True))

    targets = Targets(kernel, planner=planner, choose=choose, learn=lambda _: None)
    try:
        targets.started(process.pid, time.time_ns())
        assert [library.path for library in targets.status()] == [str(packages.ENVOY.file())]
        assert not targets.status()[0].error
        sent = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + b"p" * 30000
        heard = [_through(listen, sent) for _ in range(2)]
        happened = tls.until(kernel, lambda happened: sum(isinstance(one, Closed) for one in happened) >= 2)
    finally:
        targets.close()
    found = of_files(happened)
    assert found[Direction.SENT] == [sent] * 2
    assert found[Direction.RECEIVED] == heard == [answer for _, answer in web.calls]


def _through(port: int, data: bytes) -> bytes:
    """One connection, once the gateway listens."""
    for _ in range(200):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        with connection:
            connection.sendall(data)
            heard = bytearray()
            while part := connection.recv(65536):
                heard += part
            return bytes(heard)
    raise AssertionError("Envoy does not listen")


def converse(kernel: Kernel, web: HttpsServer, build: packages.Build, command: list[str], connections: int) -> None:
    """Each connection's bytes are the server's books."""
    library = build.file()
    link = kernel.attach(str(library), sites(library).sites)
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
        assert not done.returncode, done.stderr
        happened = tls.until(kernel, lambda happened: sum(isinstance(one, Closed) for one in happened) >= connections)
    finally:
        link.close()
    assert len(web.calls) == connections
    found = of_files(happened)
    assert found[Direction.SENT] == [received for received, _ in web.calls]
    assert found[Direction.RECEIVED] == [sent for _, sent in web.calls]


def test_a_new_connection_at_the_same_address_is_another(
    kernel: Kernel, server: tls.Server, static_client: list[Path]
) -> None:
    """Where the end can't be probed, as in BoringSSL without SSL_shutdown, SSL_new's return tells that the last one has ended."""
    program = static_client[0]
    client = Client([str(program)], server.port)
    without_end = [site for site in sites(program).sites if site.role is not Role.CLOSE]
    link = kernel.attach(str(program), without_end, pid=client.pid)
    try:
        for _ in range(4):
            client.say("open", "call 100 200", "close")
        happened = tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) >= 2)
    finally:
        link.close()
        client.kill()
    found = tls.streams(happened, client.pid)
    addresses = {conn.pointer for conn, _ in found}
    assert len(addresses) < 4, "malloc gave no address twice"
    assert list(found.values()) == [tls.request(100, 200), PATTERN[:200]] * 4
    assert len(tls.closed(happened, client.pid)) == 4 - len(addresses)
