"""What this process may do, of what decides something here."""

from __future__ import annotations

from pathlib import Path

# include/uapi/linux/capability.h
_NUMBERS = {"SYS_PTRACE": 19, "SYS_ADMIN": 21, "PERFMON": 38, "BPF": 39}


def effective(status: str) -> frozenset[str]:
    """Of a /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return frozenset(name for name, number in _NUMBERS.items() if bits >> number & 1)
    return frozenset()


def may_load_bpf(status: str | None = None) -> bool:
    """Programs that probe, and their maps; a kernel may still refuse them for other reasons.  ``status`` as of this process."""
    have = effective(Path("/proc/self/status").read_text(encoding="utf-8") if status is None else status)
    return "SYS_ADMIN" in have or {"BPF", "PERFMON"} <= have
