"""Which BPF program sits on a site, and what its cookie says there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.capture.links import Spot
from agent.capture.plan import Probe, Role, Site
from agent.capture.records import cookie

PROGRAMS = {
    (Role.READ_ENTRY, False): "read_entry",
    (Role.READ_ENTRY, True): "read_entry",
    (Role.READ_RETURN, False): "read_return",
    (Role.READ_RETURN, True): "read_return_ex",
    (Role.WRITE_ENTRY, False): "write_entry",
    (Role.WRITE_ENTRY, True): "write_entry",
    (Role.WRITE_RETURN, False): "write_return",
    (Role.WRITE_RETURN, True): "write_return_ex",
    (Role.CLOSE, False): "close_entry",
    (Role.CLOSE, True): "close_entry",
    (Role.PEEKABLE_READ_ENTRY, False): "peekable_read_entry",
    (Role.OPEN, False): "open_return",
    (Role.FLUSH_ENTRY, False): "flush_entry",
    (Role.FLUSH_RETURN, False): "flush_return",
    (Role.GO_READ, False): "go_read",
    (Role.GO_WRITE, False): "go_write",
    (Role.GO_READ_RESULT, False): "go_read_result",
    (Role.GO_END, False): "go_end",
    (Role.RUSTLS_SEND_SLICE, False): "rustls_send_slice",
    (Role.RUSTLS_SEND_SLICES, False): "rustls_send_slices",
    (Role.RUSTLS_RECEIVE, False): "rustls_receive",
    (Role.DESCRIPTOR, False): "descriptor_entry",
}
"""By role, and whether the count is behind a pointer."""


def hits(sites: Iterable[Site], link: int) -> Mapping[tuple[str, bool], list[Spot]]:
    """
    Where each program goes, and whether as a return probe.  ``link`` 0: a kernel without cookies.

    Entries last: a return that finds no entry is dropped, an entry without its return would leave half a call.
    """
    groups: dict[tuple[str, bool], list[Spot]] = {}
    for site in sites:
        place = {"stack_offset": site.stack_offset, "pointer_argument": site.pointer_argument}
        value = cookie(link=link, count=site.count, **place) if link else 0
        spots = groups.setdefault((PROGRAMS[site.role, site.extended], site.probe == Probe.URETPROBE), [])
        spots.append(Spot(file_offset=site.file_offset, cookie=value))
    return dict(sorted(groups.items(), key=lambda item: "entry" in item[0][0]))
