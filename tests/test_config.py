"""The agent's configuration: defaults that hold, overrides, and mistakes that no single key shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import Config, ConfigError, LogLevel, NameSource, load, loads


def test_no_file_is_a_whole_configuration() -> None:
    """The defaults pass their own checks and name the node."""
    config = load(None, environ={})
    assert config.listen_port == 9464
    assert config.listen_host == ""
    assert config.node != ""
    assert config == loads("{}", environ={})


def test_the_node_is_named_by_the_file_then_the_variable(tmp_path: Path) -> None:
    """The chart sets NODE_NAME; a name in the file is stronger."""
    assert loads("", environ={"NODE_NAME": "node-7"}).node == "node-7"
    assert loads("node: mine", environ={"NODE_NAME": "node-7"}).node == "mine"


def test_a_file_and_the_command_line(tmp_path: Path) -> None:
    """Short option names reach their keys, dotted ones too, and what the file says elsewhere stays."""
    file = tmp_path / "podtab.yaml"
    file.write_text("cluster: prod\nlogging: {level: error, format: json}\n")
    config = load(file, overrides={"log_level": "debug", "listen": "127.0.0.1:0", "capture.poll_interval_ms": "25"})
    assert (config.cluster, config.logging.level, config.logging.format) == ("prod", LogLevel.DEBUG, "json")
    assert (config.listen_host, config.listen_port, config.capture.poll_interval_ms) == ("127.0.0.1", 0, 25)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"listen": "foo"}, "--listen: listen must be HOST:PORT"),
        ({"log_level": "loud"}, "--log-level: logging.level must be one of"),
        ({"capture.poll_interval_ms": "-1"}, "--capture.poll-interval-ms: capture.poll_interval_ms must be between"),
    ],
)
def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(
    tmp_path: Path, overrides: dict[str, str], said: str
) -> None:
    """Nor on defaults, where there is no file; and a mistake in the file is the file's, whatever stands over it."""
    file = tmp_path / "podtab.yaml"
    file.write_text("cluster: prod\n")
    for path in (file, None):
        with pytest.raises(ConfigError) as caught:
            load(path, overrides=overrides)
        assert str(caught.value).startswith(said)
    file.write_text("capture: {ring_bytes: 3MiB}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, overrides={"listen": ":1"})
    assert str(caught.value).startswith(f"{file}: capture.ring_bytes")


def test_an_ipv6_address_loses_its_brackets() -> None:
    """Servers bind to ::1, people write [::1]:9464."""
    assert loads('listen: "[::1]:9464"').listen_host == "::1"


def test_the_file_must_be_readable_text(tmp_path: Path) -> None:
    """A missing file, a folder and a binary are told by name."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, word in [(tmp_path / "none", "No such file"), (tmp_path, "directory"), (binary, "not UTF-8")]:
        with pytest.raises(ConfigError, match=word) as caught:
            load(path)
        assert str(path) in str(caught.value)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    """As much as a configuration can be, and no more."""
    with pytest.raises(ConfigError, match="no configuration file"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('listen: "9464"', "listen must be HOST:PORT"),
        ('listen: ":http"', "listen must be HOST:PORT"),
        ('listen: ":70000"', "listen must be HOST:PORT"),
        ('listen: ":' + "9" * 5000 + '"', "listen must be HOST:PORT"),
        ("attribution: {source: pod_list}", "attribution.pod_list must name a file"),
        ("attribution: {source: kubeconfig}", "attribution.kubeconfig must name a file"),
        ("capture: {ring_bytes: 512KiB}", "at least 4 times"),
        ("capture: {ring_bytes: 3MiB}", "power of two"),
        ("selection: {process_names: [a-name-longer-than-fifteen]}", "15 bytes"),
        ("selection: {exclude_process_names: [a-name-longer-than-fifteen]}", "15 bytes"),
    ],
)
def test_what_cannot_work_is_refused(text: str, word: str) -> None:
    """A configuration that passes load() needs no further checks anywhere."""
    with pytest.raises(ConfigError, match=word):
        loads(text)


@pytest.mark.parametrize(
    ("text", "environ", "source"),
    [
        ("", {}, NameSource.HOST),
        ("", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, NameSource.IN_CLUSTER),
        ("{kubeconfig: k}", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, NameSource.KUBECONFIG),
        ("{kubeconfig: k, pod_list: p}", {}, NameSource.POD_LIST),
        ("{source: host, pod_list: p}", {}, NameSource.HOST),
        ("{source: in_cluster}", {}, NameSource.IN_CLUSTER),
    ],
)
def test_auto_is_decided_once(text: str, environ: dict[str, str], source: NameSource) -> None:
    """File before kubeconfig before cluster before host; what is said outright stays."""
    assert loads(f"attribution: {text}", environ=environ).attribution.source is source


def test_a_pod_list_alone_is_enough() -> None:
    """`--pod-list FILE` needs no second key."""
    config = loads("", overrides={"pod_list": "/tmp/pods.json"})
    assert (config.attribution.source, config.attribution.pod_list) == (NameSource.POD_LIST, "/tmp/pods.json")


def test_it_cannot_change_after_it_was_checked() -> None:
    """Frozen down to its mappings: threads share it without locks."""
    config = loads("providers: {extra_hosts: {llm.example.com: openai}}")
    with pytest.raises(TypeError):
        config.providers.extra_hosts["other.example.com"] = "openai"  # type: ignore[index]
    with pytest.raises(AttributeError):
        config.cluster = "other"  # type: ignore[misc]
    assert Config().providers.extra_hosts == {}
