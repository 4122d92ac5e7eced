"""The TLS libraries that running processes map, and how well their functions can be probed.  Nothing is attached."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Debian's libssl.so.3, wheels' libssl-81ffa89e.so.3; Node.js carries its own.
_LIBRARY = re.compile(r"/libssl(?:-[0-9a-f]+)?\.so[.0-9]*$|/node(?:js)?$")
# A node has tens of images; whoever has more gets an answer in time all the same.
_MAX_LIBRARIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A TLS library, or a program that carries one, in use."""

    path: str
    """As the process that maps it names it."""
    processes: int
    sites: int
    slow: tuple[str, ...] = ()
    """Functions whose probe sits on an instruction that is single-stepped."""
    missing: tuple[str, ...] = ()
    """Functions without any site, with the reason."""


def libraries(*, uretprobe_safe: bool) -> tuple[Library, ...]:
    """Of all running processes, by path; the same file in many containers is one."""
    from agent.capture.elf import ElfError, ElfFile
    from agent.capture.sites import plan

    users: dict[tuple[str, str], list[str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
                for inode, path in set(mapped(maps)):
                    users.setdefault((inode, path), []).append(pid)
        except OSError:
            continue
    found = []
    for (_, path), pids in sorted(users.items(), key=lambda item: item[0][1])[:_MAX_LIBRARIES]:
        try:
            with open(f"/proc/{pids[0]}/root{path}", "rb") as file:
                sites = plan(ElfFile(file), uretprobe_safe=uretprobe_safe)
        except (OSError, ElfError) as error:
            found.append(Library(path=path, processes=len(pids), sites=0, missing=(f"unreadable: {error}",)))
            continue
        if sites.sites or sites.missing:
            slow = sorted({site.function for site in sites.sites if not site.emulated})
            found.append(
                Library(
                    path=path,
                    processes=len(pids),
                    sites=len(sites.sites),
                    slow=tuple(slow),
                    missing=sites.missing,
                )
            )
    return tuple(found)


def mapped(maps: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(device and inode, path) of the executable mappings in a /proc/PID/maps that may hold a TLS library."""
    for line in maps:
        fields = line.rstrip("\n").split(maxsplit=5)
        if len(fields) == 6 and "x" in fields[1]:
            path = fields[5].removesuffix(" (deleted)")
            if _LIBRARY.search(path):
                yield f"{fields[3]} {fields[4]}", path
