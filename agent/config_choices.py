"""Words that the configuration takes, where they are a closed set."""

from __future__ import annotations

import enum

# More than the ports of models and gateways that a cluster has; `any` is cheaper then.
MAX_PORTS = 64


class NameSource(enum.StrEnum):
    """Where pod names come from."""

    AUTO = "auto"
    IN_CLUSTER = "in_cluster"
    KUBECONFIG = "kubeconfig"
    POD_LIST = "pod_list"
    HOST = "host"


class Sites(enum.StrEnum):
    BEST = "best"
    FIRST = "first"


class Links(enum.StrEnum):
    AUTO = "auto"
    UPROBE_MULTI = "uprobe_multi"
    PERF_EVENT = "perf_event"


class LogLevel(enum.StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


def plaintext_ports(words: tuple[str, ...]) -> tuple[int, ...] | None:
    """``capture.plaintext``: None where it is off, () for any port.  Raises ValueError."""
    if words in ((), ("any",)):
        return () if words else None
    if len(words) > MAX_PORTS or not all(
        word.isascii() and word.isdigit() and 0 < int(word[:6]) < 65536 for word in words
    ):
        raise ValueError(f'must be empty, ["any"], or at most {MAX_PORTS} ports from 1 to 65535')
    return tuple(sorted({int(word) for word in words}))
