"""What a TLS stack is to capture: something that can say where in a file its plaintext passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan
from agent.capture.sites import Abilities, Calls, choose


class Stack(Protocol):
    """One TLS implementation."""

    @property
    def name(self) -> str:
        """``openssl`` …, for people."""
        ...

    def plan(self, elf: ElfFile, abilities: Abilities) -> Plan:
        """
        Its sites in a library or program; an empty plan where the file does not carry it.

        ``Plan.missing``: it is there and a part of it has no site.  ``Plan.unreadable``: it is there and nobody can read it.
        Raises ElfError for a file that makes no sense.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CLibrary:
    """A stack whose functions have SSL_read's arguments, and names that files keep."""

    name: str
    calls: Calls

    def plan(self, elf: ElfFile, abilities: Abilities) -> Plan:
        return choose(elf, elf.functions(self.calls.names), self.calls, abilities)
