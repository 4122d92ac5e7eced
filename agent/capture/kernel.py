"""
The kernel side from user space: the only module that imports BCC.

Compiles ``bpf/`` against our own headers, loads it, attaches programs to sites, drains records, answers with verdicts.
Everything is detached when the descriptors close, so also when the agent is killed.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.capture import source
from agent.capture.egress import Egress
from agent.capture.elf import ElfFile
from agent.capture.link_ids import LinkIds
from agent.capture.links import (
    BPF_TRACE_UPROBE_MULTI,
    AttachError,
    Link,
    Spot,
    attach_multi,
    attach_perf,
    explained,
)
from agent.capture.maps import Maps
from agent.capture.memory import release_compiler
from agent.capture.peers import Peers
from agent.capture.plaintext import Plaintext
from agent.capture.plan import Count, Probe, Site
from agent.capture.programs import PROGRAMS, hits
from agent.capture.records import COUNTERS, ConnKey, VerdictValue
from agent.capture.ring import Happening, ProcessEnded, ProcessStarted, RingReader
from agent.host.capabilities import may_load_bpf
from agent.model import Closed, ConnId, Judgement, PodtabError, Verdict

_JUDGEMENTS = {Judgement.WATCH: 1, Judgement.IGNORE: 2}
_LIVE = ("threads", "connections", "verdicts", "descriptors", "holders", "unselected", "links")
_PAGE_BYTES = 4096
# Threads between a write and its packet: some a processor.
_MAX_PENDING = 4096
# The offset between the kernel's monotonic clock and wall time moves with NTP; slowly.
_CLOCK_AGE_NS = 60 * 10**9


class CaptureError(PodtabError):
    """Capture can't start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSettings:
    ring_bytes: int = 16 * 1024**2
    """A power of two."""
    max_connections: int = 65_536
    max_descriptors: int = 16_384
    """Of connections that have just begun: they are asked for once."""
    max_threads: int = 65_536
    max_cgroups: int = 16_384
    max_links: int = 4_096
    """One a library file in use; a node's containers use some tens."""
    max_call_bytes: int = 256 * 1024
    """Most that is copied of one call."""
    links: str = "auto"
    """auto, uprobe_multi or perf_event."""
    plaintext_ports: tuple[int, ...] | None = None
    """Look at what goes over sockets as it is, to these ports; () means any, None not at all."""
    packets: bool = True
    """See packets leave, for what only they tell."""


class Kernel:
    """Loaded programs and their maps.  Not thread-safe but for ``attach``, ``select`` and ``judge``."""

    def __init__(self, settings: KernelSettings | None = None) -> None:
        self.settings = settings or KernelSettings()
        release = os.uname().release
        self.version = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
        self.cookies = self.version >= (5, 15)
        self.link_kind = self._choose_links()
        self.link_problem = ""
        """Why uprobe_multi was not used although this kernel is new enough."""
        self._bpf = self.compiled(self.settings, cookies=self.cookies)
        self._maps = self._open_maps()
        self._programs: dict[str, int] = {}
        self._unselected: set[int] = set()
        self._open = True
        self._dying: set[int] = set()
        self._suspects: set[ConnId] = set()
        self._closed: list[Closed] = []
        ports = self.settings.plaintext_ports
        self._plaintext = None if ports is None else Plaintext(ports, self.judge)
        try:
            self._load_all()
            for name, tracepoint in (("process_exec", "sched_process_exec"), ("process_exit", "sched_process_exit")):
                self._bpf.attach_raw_tracepoint(tp=tracepoint.encode(), fn_name=name.encode())
            if self._plaintext is not None:
                for port in ports or ():
                    self._maps.update("plain_ports", ctypes.c_uint32(port), ctypes.c_uint32(1))
                self._bpf.attach_raw_tracepoint(tp=b"sys_exit", fn_name=b"syscall_exit")
        except Exception as error:  # noqa: BLE001 - BCC raises nothing narrower
            raise CaptureError(f"the kernel refused the BPF programs: {error}; see `podtab doctor`") from None
        self.egress = Egress(self._bpf, wanted=self.settings.packets)
        seen = None if self.egress.problem else self._maps.sighting_of
        self.peers = Peers(self._maps.descriptor_of, sighting_of=seen)
        self.ring = RingReader(self._bpf[b"records"].map_fd, self.settings.ring_bytes)
        self._clock_offset_ns = 0
        self._clock_at_ns = -_CLOCK_AGE_NS  # never: the monotonic clock begins at 0 with the machine
        self._link_ids = LinkIds()
        # LLVM is done (some hundred MB).
        release_compiler()

    def _choose_links(self) -> str:
        if self.settings.links == "auto":
            return "uprobe_multi" if self.version >= (6, 6) else "perf_event"
        return self.settings.links

    @staticmethod
    def compiled(settings: KernelSettings, *, cookies: bool) -> Any:
        """The programs for BCC, with maps, not loaded."""
        if not may_load_bpf():  # BCC's own word for it would be that it failed to compile
            raise CaptureError(
                "BPF programs may not be loaded: run podtab as root, or with capabilities BPF, PERFMON and SYS_PTRACE "
                "(chart: security.profile); see `podtab doctor`"
            )
        os.environ["BCC_KERNEL_SOURCE"] = str(source.folder() / "headers")
        try:
            from bcc import BPF
        except ImportError:
            raise CaptureError("BCC is missing: install Debian's python3-bpfcc and use the system's Python") from None
        flags = [
            f"-DRING_PAGES={settings.ring_bytes // _PAGE_BYTES}",
            f"-DMAX_THREADS={settings.max_threads}",
            f"-DMAX_CONNECTIONS={settings.max_connections}",
            f"-DMAX_DESCRIPTORS={settings.max_descriptors}",
            f"-DMAX_PENDING={_MAX_PENDING}",
            f"-DMAX_CGROUPS={settings.max_cgroups}",
            f"-DMAX_LINKS={settings.max_links}",
            f"-DMAX_PARTS={max(1, settings.max_call_bytes // 16384)}",
        ]
        if not cookies:
            flags.append("-DNO_COOKIES")
        if settings.packets:
            flags.append("-DPACKETS")
        if settings.plaintext_ports is not None:
            flags.append("-DPLAINTEXT")
        if settings.plaintext_ports:
            flags += ["-DPLAINTEXT_PORTS", f"-DMAX_PORTS={len(settings.plaintext_ports)}"]
        try:
            return BPF(text=source.load().encode(), cflags=flags)
        except Exception as error:  # noqa: BLE001 - BCC raises nothing narrower
            raise CaptureError(
                f"the BPF programs can't be compiled or their maps made: {error}; see `podtab doctor`"
            ) from None

    def _open_maps(self) -> Maps:
        from bcc import lib

        return Maps(
            lib, lambda table: int(self._bpf[table.encode()].map_fd), max_keys=4 * self.settings.max_connections
        )

    def _load_all(self) -> None:
        """With uprobe_multi, tried once on ourselves; where that fails and nobody asked for it, with perf_event."""
        try:
            self._load_for(self.link_kind)
            if self.link_kind == "uprobe_multi":
                self._try_link()
        except Exception as error:  # BCC raises nothing narrower
            if self.link_kind != "uprobe_multi" or self.settings.links != "auto":
                raise
            self.link_kind, self.link_problem = "perf_event", str(error)
            self._bpf.funcs.clear()
            self._load_for(self.link_kind)

    def _load_for(self, link_kind: str) -> None:
        from bcc import BPF

        attach_type = BPF_TRACE_UPROBE_MULTI if link_kind == "uprobe_multi" else -1
        for name in {*PROGRAMS.values(), "empty_probe", "selftest_probe"}:
            self._programs[name] = int(self._bpf.load_func(name.encode(), BPF.KPROBE, attach_type=attach_type).fd)

    def _try_link(self) -> None:
        path, offset = harmless_function()
        self.attach_selftest(path, offset, pid=os.getpid(), returning=False).close()

    # ---------------------------------------------------------------------------------------------------------- probes

    def attach(self, path: str, sites: Iterable[Site], pid: int = 0) -> Link:
        """Put all programs on their sites of one file.  ``pid`` 0: in every process that maps it, also later ones."""
        sites = tuple(sites)
        for site in sites:
            if not self.cookies and (site.count == Count.STACK or site.stack_offset or site.pointer_argument != 4):
                raise AttachError(f"{path}: {site.function} can't be read at its best site on kernels before 5.15")
        (inode,) = explained(path, lambda: os.stat(path).st_ino)
        number = self._link_ids.take(inode, sites)
        link = Link(id=number, farewell=lambda: self._detach(number))
        if not self._maps.update("links", ctypes.c_uint32(number), ctypes.c_uint32(1)):
            link.close()
            raise AttachError(f"{path}: more than {self.settings.max_links} libraries are being watched")
        for (name, returning), spots in hits(sites, number if self.cookies else 0).items():
            try:
                link.descriptors += self._attach_program(self._programs[name], path, spots, returning, pid)
            except AttachError:
                link.close()
                raise
        return link

    def _detach(self, link: int) -> None:
        """Before its probes go."""
        if self._open:
            self._maps.delete("links", ctypes.c_uint32(link))
        self._link_ids.give_back(link)

    def attach_empty(self, path: str, sites: Iterable[Site], pid: int = 0) -> Link:
        """An empty program at every site: the yardstick for what capture itself costs."""
        link = Link(id=0)
        for returning in (False, True):
            spots = [
                Spot(file_offset=site.file_offset, cookie=0)
                for site in sites
                if (site.probe == Probe.URETPROBE) == returning
            ]
            if spots:
                link.descriptors += self._attach_program(self._programs["empty_probe"], path, spots, returning, pid)
        return link

    def attach_selftest(self, path: str, file_offset: int, *, pid: int, returning: bool) -> Link:
        """A program that only counts its hits (``selftest_hits``), in one process."""
        spots = [Spot(file_offset=file_offset, cookie=0)]
        return Link(
            id=0, descriptors=self._attach_program(self._programs["selftest_probe"], path, spots, returning, pid)
        )

    def _attach_program(self, program: int, path: str, spots: Sequence[Spot], returning: bool, pid: int) -> list[int]:
        if self.link_kind == "uprobe_multi":
            return explained(path, lambda: attach_multi(program, path, spots, returning=returning, pid=pid))
        descriptors: list[int] = []
        for spot in spots:
            descriptors += explained(
                path,
                lambda spot=spot: attach_perf(program, path, spot, returning=returning, pid=pid, cookies=self.cookies),  # type: ignore[misc]
            )
        return descriptors

    # --------------------------------------------------------------------------------------------------------- records

    def poll(self) -> list[Happening]:
        """Everything since the last poll.  The end of a process closes its connections."""
        happened = self._poll()
        self.peers.turn(happened)
        return happened if self._plaintext is None else self._plaintext.admitted(happened)

    def _poll(self) -> list[Happening]:
        now_ns = time.monotonic_ns()
        if now_ns - self._clock_at_ns > _CLOCK_AGE_NS:
            self._clock_offset_ns, self._clock_at_ns = time.time_ns() - time.monotonic_ns(), now_ns
        out: list[Happening] = []
        drained = self.ring.drain(self._clock_offset_ns)
        if self._closed:
            out += self._closed
            self._closed = []
        if self._dying:
            # Until now: since its first thread ended the others may have made connections.
            until_ns = time.monotonic_ns() + self._clock_offset_ns
            drained += [ProcessEnded(pid=pid, at_ns=until_ns) for pid in self._dying]
            self._dying = set()
        elif not out and not any(isinstance(happening, ProcessEnded | ProcessStarted) for happening in drained):
            return drained
        for happening in drained:
            if isinstance(happening, ProcessEnded) and _has_threads(happening.pid):
                self._dying.add(happening.pid)
                continue
            if isinstance(happening, ProcessEnded | ProcessStarted):
                for conn in self.ring.connections_of(happening.pid):
                    # A new program may have connections already, and a new process the pid.
                    if conn.born_ns + self._clock_offset_ns < happening.at_ns:
                        self.forget(conn)
                        out.append(Closed(conn=conn, at_ns=happening.at_ns))
            out.append(happening)
        return out

    def forget(self, conn: ConnId) -> None:
        """Delete what the kernel keeps of a connection."""
        key = ConnKey(ssl=conn.pointer, tgid=conn.pid)
        if self._maps.holds(key, conn.born_ns):
            self._maps.forget(key)
        self.ring.forget(conn)

    # --------------------------------------------------------------------------------------------------------- answers

    def judge(self, verdict: Verdict) -> None:
        """Tell the kernel, once, whether a connection is ours."""
        key = ConnKey(ssl=verdict.conn.pointer, tgid=verdict.conn.pid)
        value = VerdictValue(born_ns=verdict.conn.born_ns, judgement=_JUDGEMENTS[verdict.judgement])
        if self._maps.holds(key, verdict.conn.born_ns):
            self._maps.update("verdicts", key, value)
            if not self._maps.holds(key, verdict.conn.born_ns):
                self._maps.delete(
                    "verdicts", key
                )  # it ended between the two, and nobody would come for it before the sweep
            elif verdict.judgement is Judgement.WATCH:
                self.peers.peer_of(verdict.conn)

    def select(self, cgroup_id: int, selected: bool) -> None:
        """Drop, or no longer drop, the calls of a cgroup before any copy."""
        key = ctypes.c_uint64(cgroup_id)
        if selected:
            self._maps.delete("unselected", key)
            self._unselected.discard(cgroup_id)
        elif self._maps.update("unselected", key, ctypes.c_uint32(1)):
            self._unselected.add(cgroup_id)
        self._maps.update("unselected_count", ctypes.c_uint32(0), ctypes.c_uint32(len(self._unselected)))

    def sweep(self) -> int:
        """
        Delete what dead processes left behind because their end was not seen, and what closed links did, whose connections nobody
        sees any more; and close connections whose end was not seen.  Returns how many.  Once in a minute or so: it reads whole maps.
        """
        removed = 0
        alive: dict[int, bool] = {}
        for table in ("connections", "verdicts", "descriptors", "holders"):
            for key in self._maps.keys(table):
                if key.tgid not in alive:
                    alive[key.tgid] = os.path.exists(f"/proc/{key.tgid}")
                if not alive[key.tgid] or (table == "verdicts" and not self._maps.holds(key)):
                    self._maps.delete(table, key)
                    removed += 1
                elif table == "connections" and self._link_ids.gone(self._maps.link_of(key)):
                    self._maps.forget(key)
                    removed += 1
        # The record of an end may still be in the ring: only what is missing twice has ended.
        missing = {
            conn
            for conn in self.ring.known()
            if not self._maps.holds(ConnKey(ssl=conn.pointer, tgid=conn.pid), conn.born_ns)
        }
        for conn in missing & self._suspects:
            self.ring.forget(conn)
            self._closed.append(Closed(conn=conn, at_ns=time.time_ns()))
            removed += 1
        self._suspects = missing - self._suspects
        return removed

    # ------------------------------------------------------------------------------------------------------ what it says

    def counters(self) -> Mapping[str, int]:
        """``enum counter`` by name."""
        values = {}
        for index, name in enumerate(COUNTERS):
            value = ctypes.c_uint64()
            self._maps.lookup("counters", ctypes.c_uint32(index), value)
            values[name] = value.value
        return values

    def map_sizes(self) -> Mapping[str, int]:
        """Entries of every map that holds live state."""
        return {name: len(self._maps.keys(name)) for name in _LIVE}

    def close(self) -> None:
        """Detach and free everything but the caller's links, which are best closed before."""
        self._open = False
        self.ring.close()
        self.egress.close()
        self._bpf.cleanup()


def _has_threads(pid: int) -> bool:
    """Whether more than the first thread is left: that one may end before the others do, or they are just ending."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def harmless_function() -> tuple[str, int]:
    """``labs`` of our own libc, as path and file offset: nobody calls it by chance, and a probe on it disturbs nothing."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.rstrip("\n").partition("/") for line in maps]
    for _, _, rest in lines:
        if "/libc.so" in rest or "/libc-2" in rest or "/ld-musl" in rest:
            with open(f"/{rest}", "rb") as file:
                return f"/{rest}", ElfFile(file).functions(("labs",))["labs"].file_offset
    raise AttachError("our own C library is not in /proc/self/maps")
