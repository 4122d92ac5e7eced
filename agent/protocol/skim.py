"""
The readable part of a large JSON body: pictures as base64 and vectors of numbers are shortened, everything else is kept as it came.

A request with photographs is 64 MB of which a price needs some hundred bytes.  Of each run of base64 characters, and of each run of
numbers with their commas, the first 4 KiB are kept, and what remains is JSON of the same form.  Text is not touched: it has spaces, and
signs of other alphabets.  So neither the form (RFC 8259) nor a string's beginning is needed to know where one is.
"""

from __future__ import annotations

import re

# The largest thing of this alphabet that a dialect reads is an encrypted reasoning of some KB; ids and names are below 300 bytes.
KEPT_OF_A_RUN_BYTES = 4096

# RFC 4648, 4 and 5, with what JSON makes of "/" in some libraries, and of MIME's line ends.
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/=_\-]*(?:\\[/nr][A-Za-z0-9+/=_\-]*)*")
_NUMBER_RUN = re.compile(rb"[0-9eE+\-., \t\r\n]*")
_RUNS = (_BASE64_RUN, _NUMBER_RUN)
_ALPHABETS = {run: bytes(byte for byte in range(128) if run.fullmatch(bytes([byte]))) for run in _RUNS}
_ESCAPED = (b"/", b"n", b"r")
# MIME's lines have 76 characters, and one character in 64 is a "/": twice what a run of base64 has.
_MAX_ESCAPES = 128
# A run that is too long covers at least two bytes that are so far apart, so only those are looked at.
_STEP_BYTES = KEPT_OF_A_RUN_BYTES // 2
_WHITE = b" \t\r\n"


class Skimmer:
    """One body.  ``kept`` is what remains of it; valid JSON once the body has ended, if the body was."""

    __slots__ = ("_dropping", "_escape", "_last", "_runs", "kept", "skipped_bytes")

    def __init__(self) -> None:
        self.kept = bytearray()
        self.skipped_bytes = 0
        self._dropping: re.Pattern[bytes] | None = None
        self._last = b""
        """The last sign of a run of numbers under way that is no white space."""
        self._escape = b""
        """A backslash whose other half has not come."""
        self._runs = dict.fromkeys(_RUNS, 0)
        """How much of a run of each kind stands at the end of what was kept."""

    def receive(self, data: bytes) -> None:
        data = self._escape + data
        self._escape = data[-1:] if data.endswith(b"\\") else b""
        if self._escape:
            data = data[:-1]
        at = self._go_on(data) if self._dropping is not None else 0
        probe = at
        while probe < len(data):
            for run in _RUNS:
                start = probe - self._run_before(run, data, at, probe)
                end = _end_of(run, data, probe)
                if end - start > KEPT_OF_A_RUN_BYTES:
                    at = probe = self._drop(run, data, at, start + KEPT_OF_A_RUN_BYTES)
                    break
            else:
                probe += _STEP_BYTES
        if at < len(data):
            runs = {run: self._run_before(run, data, at, len(data)) for run in _RUNS}
            self.kept += data[at:]
            self._runs = runs

    def gap(self) -> None:
        """Bytes are missing here, so whatever ran has ended."""
        self._end_run()
        self._escape = b""
        self._runs = dict.fromkeys(_RUNS, 0)

    def close(self) -> None:
        """The body ended."""
        self.kept += self._escape
        self._escape = b""

    def _run_before(self, run: re.Pattern[bytes], data: bytes, at: int, probe: int) -> int:
        """How long a run ends at ``probe``, with what stands at the end of ``kept`` where it reaches back to ``at``."""
        # What is longer has been left out already.
        tail = data[max(at, probe - KEPT_OF_A_RUN_BYTES - 2) : probe]
        rest = tail.rstrip(_ALPHABETS[run])
        for _ in range(_MAX_ESCAPES if run is _BASE64_RUN else 0):
            if not (rest.endswith(b"\\") and tail[len(rest) : len(rest) + 1] in _ESCAPED):
                break
            rest = rest[:-1].rstrip(_ALPHABETS[run])
        length = len(tail) - len(rest)
        return length + self._runs[run] if not rest and probe - length == 0 else length

    def _drop(self, run: re.Pattern[bytes], data: bytes, at: int, end: int) -> int:
        """Keep ``data`` up to where a run has reached its length, leave out the rest of the run; how far ``data`` is done."""
        end = max(at, end)
        if end > 0 and data[end - 1 : end] == b"\\":
            end -= 1
        self.kept += data[at:end]
        self._dropping = run
        self._last = b""
        if run is _NUMBER_RUN:
            self._trim()
        return self._go_on(data, end)

    def _trim(self) -> None:
        """Back to a whole number: what was kept ends before the run's last comma, or without half a number."""
        comma = self.kept.rfind(b",", max(0, len(self.kept) - KEPT_OF_A_RUN_BYTES))
        end = comma if comma >= 0 else len(self.kept.rstrip(b"eE+-."))
        self.skipped_bytes += len(self.kept) - end
        self._last = bytes(self.kept[end:]).rstrip(_WHITE)[-1:]
        del self.kept[end:]

    def _go_on(self, data: bytes, at: int = 0) -> int:
        """Leave out what still belongs to the run."""
        assert self._dropping is not None
        end = _end_of(self._dropping, data, at)
        self.skipped_bytes += end - at
        if self._dropping is _NUMBER_RUN:
            self._last = data[at:end].rstrip(_WHITE)[-1:] or self._last
        if end < len(data):
            self._end_run()
        return end

    def _end_run(self) -> None:
        if self._dropping is _NUMBER_RUN:
            before = bytes(self.kept[-KEPT_OF_A_RUN_BYTES - 1 :]).rstrip(_WHITE)[-1:]
            if before == b":":
                # Only white space was kept of what was this member's value.
                self.kept += b"null"
            if self._last == b"," and before not in (b"[", b"{", b","):
                # "[1, 2, …, 3, {": what comes next is one more element.
                self.kept += b","
        self._dropping = None
        self._last = b""
        self._runs = dict.fromkeys(_RUNS, 0)


def _end_of(run: re.Pattern[bytes], data: bytes, start: int) -> int:
    found = run.match(data, start)
    return found.end() if found else start
