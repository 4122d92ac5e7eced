"""
OpenSSL and BoringSSL built into a program or a module whose symbols were stripped: grpcio, Envoy, Bun, static programs.

Found by signatures (``agent/capture/signature.py``); where none fits exactly, the file is told as unreadable, with what to do.
"""

from __future__ import annotations

from agent.capture.elf import ElfFile
from agent.capture.match import Match, TooLargeError, search
from agent.capture.plan import Plan, Role, Unreadable
from agent.capture.sites import Abilities, Calls, Form, Way, choose

_REMEDY = (
    "make a signature from the same build with symbols (podtab signature make, docs/signatures.md), "
    "or use a build that keeps its symbols"
)


class WithoutSymbols:
    """``Stack``."""

    name = "without symbols"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        try:
            matches = search(elf, abilities.signatures)
        except TooLargeError:
            return Plan(sites=(), unsearched=True)
        plans = [_plan(elf, match, abilities) for match in matches]
        return Plan(
            sites=tuple(site for one in plans for site in one.sites),
            missing=tuple(name for one in plans for name in one.missing),
            unreadable=tuple(stack for one in plans for stack in one.unreadable),
        )


def _plan(elf: ElfFile, match: Match, abilities: Abilities) -> Plan:
    if match.signature is None:
        version = ".".join(str(part) for part in match.version)
        detail = f"{' '.join(filter(None, ['built in without symbols', version]))}; {match.reason}"
        return Plan(sites=(), unreadable=(Unreadable(stack=match.library, detail=detail, remedy=_REMEDY),))
    rules = match.signature.functions
    calls = Calls(
        ways=tuple(
            Way(
                forms=tuple(Form(name=rule.name, pointer_argument=rule.count) for rule in rules if rule.role == role),
                entry=entry,
                leave=leave,
            )
            for role, entry, leave in (
                ("read", Role.READ_ENTRY, Role.READ_RETURN),
                ("write", Role.WRITE_ENTRY, Role.WRITE_RETURN),
            )
        ),
        closers=tuple(rule.name for rule in rules if rule.role == "close"),
        openers=tuple(rule.name for rule in rules if rule.role == "open"),
    )
    functions = {
        name: function
        for name, found in match.functions.items()
        if (function := elf.function_at(found.start, name, found.end - found.start)) is not None
    }
    return choose(elf, functions, calls, abilities)
