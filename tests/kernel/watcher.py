"""The agent's loop in a test: kernel → pipeline → kernel."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from agent.attribution.attributor import Attributor
from agent.attribution.settings import AttributionSettings
from agent.capture.kernel import Kernel
from agent.capture.ring import Happening
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.joining import Joining
from agent.model import Call, Chunk, Closed, Opened, PricedCall, Unpriced, Verdict
from agent.pipeline.hellos import Hellos
from agent.pipeline.pipeline import Pipeline
from agent.sinks.connections import Connections


class Watcher:
    """Keeps the calls that are ``wanted``: a machine has other processes."""

    def __init__(self, kernel: Kernel, wanted: Callable[[Call], bool]) -> None:
        self._kernel = kernel
        self._wanted = wanted
        providers = Providers()
        everybody: Any = SimpleNamespace(unselected_pids={})
        self.joining = Joining(
            Hellos(providers.provider_at),
            Connections(max_pods=50),
            kernel.peers.cookie_of,
            everybody,
            Attributor(AttributionSettings(), None),
        )
        self._pipeline = Pipeline(
            dialects=DIALECTS,
            provider_of=providers.provider_of,
            price=lambda _: Unpriced(reason="unknown_provider"),
            peer_of=kernel.peers.peer_of,
            server_name_of=self.joining.server_name_of,
        )
        self.calls: list[Call] = []
        self.happened: list[Happening] = []

    def take(self) -> None:
        for happening in self.joining.admitted(self._kernel.poll()):
            self.happened.append(happening)
            if not isinstance(happening, Opened | Chunk | Closed):
                continue
            for output in self._pipeline.receive(happening):
                if isinstance(output, PricedCall):
                    if self._wanted(output.call):
                        self.calls.append(output.call)
                elif isinstance(output, Verdict):
                    self._kernel.judge(output)
                self.joining.join(output, happening)

    def until(self, enough: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not enough():
            self.take()
            time.sleep(0.005)

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> int:
        """Watches while it runs, and until its end has been heard of; its pid."""
        with subprocess.Popen(command, env={**os.environ, **(environment or {})}) as process:
            self.until(lambda: process.poll() is not None, 60)
            assert process.returncode == 0
            time.sleep(0.05)
            self.take()
            return process.pid
