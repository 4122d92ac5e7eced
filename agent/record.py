"""``podtab record``: capture onto a tape.  Only connections that are judged ours go on it, also when content is asked for."""

from __future__ import annotations

import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from agent.capture import mappings
from agent.capture.follower import Follower
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.ring import Happening, ProcessEnded, ProcessStarted
from agent.capture.selection import Choice
from agent.capture.selftest import Result, uretprobe_seccomp
from agent.capture.signature import with_own
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.tape import TapeWriter
from agent.capture.targets import Targets
from agent.config import Config
from agent.config_choices import plaintext_ports
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.logs import Log, configure
from agent.model import Chunk, Closed, ConnId, Judgement, Opened, Process, Unpriced, Verdict
from agent.pipeline.pipeline import Pipeline

_LOG = Log("record")
# What a connection may hold back until it is judged; a verdict comes with its first bytes.
_MAX_HELD_CHUNKS = 64
_MAX_HELD_CONNECTIONS = 4096
_POLL_SECONDS = 0.02


def record(config: Config, path: Path, *, content: bool, seconds: float) -> int:
    """Until SIGINT, SIGTERM, the time is over, or the tape is full."""
    configure(config.logging.level.value, "json" if config.logging.format.value == "json" else "text")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    kernel = Kernel(
        KernelSettings(
            ring_bytes=config.capture.ring_bytes,
            max_call_bytes=config.capture.max_copy_bytes,
            links=config.capture.links.value,
            plaintext_ports=plaintext_ports(config.capture.plaintext),
            packets=config.capture.packets,
        )
    )
    with TapeWriter(path, content=content, max_bytes=config.record.max_bytes) as tape:
        recorder = Recorder(tape, config.providers.extra_hosts)
        abilities = Abilities(
            uretprobe_safe=uretprobe_seccomp(kernel).result is Result.PASSED,
            cookies=kernel.cookies,
            signatures=with_own(config.capture.signatures),
            first_instructions=config.capture.sites.value == "first",
        )
        heard = mappings.opened(lambda reason: _LOG.warning(mappings.UNHEARD, reason=reason))
        targets = Targets(
            kernel,
            planner=lambda elf: plan(elf, abilities),
            choose=lambda _: Choice.SELECTED,
            learn=recorder.process,
            told=heard is not None,
        )
        follower = Follower(targets, heard)
        try:
            follower.scan()
            _LOG.info("recording", file=str(path), content=content)
            deadline = time.monotonic() + seconds if seconds else float("inf")
            while not stop.is_set() and time.monotonic() < deadline and not recorder.full:
                for happening in kernel.poll():
                    if isinstance(happening, ProcessStarted | ProcessEnded):
                        follower.hear(happening)
                    else:
                        for verdict in recorder.take(happening):
                            kernel.judge(verdict)
                follower.turn()
                stop.wait(_POLL_SECONDS)
        finally:
            follower.stop()
            targets.close()
            kernel.close()
    _LOG.info("recorded", file=str(path), bytes=tape.size_bytes, calls=recorder.watched)
    return 0


class Recorder:
    """Holds a connection's first chunks until it is judged; then they go on the tape, or nowhere."""

    def __init__(self, tape: TapeWriter, extra_hosts: Mapping[str, str] | None = None) -> None:
        self._tape = tape
        self._pipeline = Pipeline(
            dialects=DIALECTS,
            provider_of=Providers(extra_hosts).provider_of,
            price=lambda _: Unpriced(reason="no_usage"),
        )
        self._held: OrderedDict[ConnId, list[Chunk]] = OrderedDict()
        self._watched: set[ConnId] = set()
        self._ignored: set[ConnId] = set()
        self.watched = 0
        """Connections that are on the tape."""
        self.full = False

    def process(self, process: Process) -> None:
        self._write(process)

    def take(self, happening: Happening) -> list[Verdict]:
        """What to tell the kernel."""
        assert isinstance(happening, Opened | Chunk | Closed)
        verdicts = [output for output in self._pipeline.receive(happening) if isinstance(output, Verdict)]
        conn = happening.conn
        if isinstance(happening, Chunk) and conn not in self._watched and conn not in self._ignored:
            held = self._held.setdefault(conn, [])
            if len(held) < _MAX_HELD_CHUNKS:
                held.append(happening)
            if len(self._held) > _MAX_HELD_CONNECTIONS:
                self._held.popitem(last=False)
        elif conn in self._watched and not isinstance(happening, Opened):  # a tape holds what was said
            self._write(happening)
        for verdict in verdicts:
            held = self._held.pop(conn, [])
            if verdict.judgement is Judgement.WATCH:
                self._watched.add(conn)
                self.watched += 1
                for chunk in held:
                    self._write(chunk)
            else:
                self._watched.discard(conn)
                self._ignored.add(conn)
        if isinstance(happening, Closed):
            self._held.pop(conn, None)
            self._watched.discard(conn)
            self._ignored.discard(conn)
        return verdicts

    def _write(self, value: Chunk | Closed | Process) -> None:
        if not self.full:
            self.full = not self._tape.write(value)
