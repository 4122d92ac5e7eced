"""
Which instruction to probe.

A probe on an instruction that the kernel emulates costs one trap; on any other the instruction is single-stepped out of line,
which on a virtual machine costs over ten times more.  So: read the code, and take the first emulated instruction at which
the arguments, or the result, provably stand where the program looks for them.  In doubt the slow, certain site is taken.

Four ways to read a result, best first: an emulated jump behind the inner call; a return probe set where the stack pointer is still
the entry's; one on each jump into another function, with the RET instructions besides; every RET instruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.capture.elf import ElfFile, Function
from agent.capture.plan import Count, Plan, Probe, Role, Site
from agent.capture.signature import Signature, shipped
from agent.capture.x86 import Argument, StackSlot, Step, can_be_probed, exits, returns, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One exported function of (connection, buffer, size, …) and where its caller puts the pointer to the count; 0: it returns the count."""

    name: str
    pointer_argument: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One direction of a library."""

    forms: tuple[Form, ...]
    entry: Role
    leave: Role
    arguments: int = 2
    """How many of the first arguments the entry's program looks at, at least."""

    @property
    def needs(self) -> int:
        """A write is noted with its length: bpf/notes.h."""
        return max(self.arguments, 3) if self.entry == Role.WRITE_ENTRY else self.arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """
    The functions of a C library that move plaintext, those that end a connection (their first argument), make one (their result), and
    give it (their first argument) a descriptor to read from (their second).
    """

    ways: tuple[Way, ...]
    closers: tuple[str, ...]
    openers: tuple[str, ...] = ()
    descriptors: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        moving = (form.name for way in self.ways for form in way.forms)
        return (*moving, *self.closers, *self.openers, *self.descriptors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What this kernel and the configuration allow."""

    uretprobe_safe: bool
    cookies: bool = True
    signatures: tuple[Signature, ...] = field(default_factory=shipped)
    """Of stacks without symbols; the user's own before ours."""
    first_instructions: bool = False
    """Every function's first instruction, entry and return: what other tools do.  The yardstick of the benchmark."""


# SSL_write_ex → SSL_write_ex2 → the inner function: no build seen goes further.
_MAX_TAIL_JUMPS = 3
_SIZE_CHECKS = ("test edx, edx", "test rdx, rdx")


def choose(elf: ElfFile, functions: Mapping[str, Function], calls: Calls, abilities: Abilities) -> Plan:
    """The best sites for those of ``calls`` that are in ``functions``; no sites where none is."""
    uretprobe_safe, cookies = abilities.uretprobe_safe, abilities.cookies
    if abilities.first_instructions or elf.machine != "x64":
        return _first_instructions(elf, functions, calls, uretprobe_safe=uretprobe_safe)
    sites: list[Site] = []
    missing: list[str] = []
    half_read = False
    for way in calls.ways:
        present = [(form, functions[form.name]) for form in way.forms if form.name in functions]
        own = [_function_sites(way, form, function, uretprobe_safe, cookies) for form, function in present]
        if uretprobe_safe and not all(site.emulated for group in own for site in group):
            inner = _inner_sites(elf, way, present, cookies)
            if inner:
                sites += inner
                continue
        for (form, _), group in zip(present, own, strict=True):
            sites += group
            if not group and not _leads_to_another(form, functions):
                missing.append(f"{form.name}: no site on this kernel gives its result")
        half_read |= bool(present) and not any(own)
    if half_read:  # its other half would make the connection look readable
        return Plan(sites=(), missing=tuple(missing))
    for name in calls.closers:
        if name in functions:
            sites += _entry(Role.CLOSE, functions[name], needs=1)
    for name in calls.descriptors:
        if name in functions:
            sites += _entry(Role.DESCRIPTOR, functions[name], needs=2)
    sites += [
        site for name in calls.openers if name in functions for site in _openings(functions[name], uretprobe_safe)
    ]
    return Plan(sites=tuple(sites), missing=tuple(missing))


def _openings(function: Function, uretprobe_safe: bool) -> list[Site]:
    """Once a connection, so what it costs does not count.  None where it returns by another function's return."""
    way = Way(forms=(), entry=Role.OPEN, leave=Role.OPEN)
    if uretprobe_safe and can_be_probed(function.code):
        return [_return_site(way, function, Probe.URETPROBE, function.file_offset, False, Count.RESULT, "first")]
    offsets = [at - function.address + function.file_offset for at in returns(function.code, function.address)]
    return [_return_site(way, function, Probe.UPROBE, offset, False, Count.RESULT, "ret") for offset in offsets]


def _first_instructions(elf: ElfFile, functions: Mapping[str, Function], calls: Calls, *, uretprobe_safe: bool) -> Plan:
    sites: list[Site] = []
    missing: list[str] = []
    for way in calls.ways:
        for form in way.forms:
            function = functions.get(form.name)
            if function is None:
                continue
            if not uretprobe_safe:
                missing.append(f"{form.name}: return probes are not safe here")
                continue
            if not _can_be_probed(elf, function):
                missing.append(f"{form.name}: the kernel takes no probe on its first instruction")
                continue
            sites.append(_first(way.entry, Probe.UPROBE, function, form))
            sites.append(_first(way.leave, Probe.URETPROBE, function, form))
    for role, names in ((Role.CLOSE, calls.closers), (Role.DESCRIPTOR, calls.descriptors)):
        named = [functions[name] for name in names if name in functions]
        sites += [_first(role, Probe.UPROBE, function) for function in named if _can_be_probed(elf, function)]
    return Plan(sites=tuple(sites), missing=tuple(missing))


def _can_be_probed(elf: ElfFile, function: Function) -> bool:
    return elf.machine != "x64" or can_be_probed(function.code)


def _first(role: Role, probe: Probe, function: Function, form: Form | None = None) -> Site:
    pointer = form.pointer_argument if form else 0
    return Site(
        function=function.name,
        role=role,
        probe=probe,
        file_offset=function.file_offset,
        emulated=False,
        count=Count.POINTER if pointer else Count.RESULT,
        pointer_argument=pointer or 4,
        extended=bool(pointer),
        instruction="first",
    )


# ------------------------------------------------------------------------------------------------- one exported function


def _function_sites(way: Way, form: Form, function: Function, uretprobe_safe: bool, cookies: bool) -> list[Site]:
    """Entry and return of one function by itself; empty where the return can't be read."""
    enter = _entry(way.entry, function, needs=way.needs, form=form, cookies=cookies)
    leaves = _returns(way, form, function, uretprobe_safe, cookies) if enter else []
    # Without a cookie a program can only look for the pointer in argument 4.
    if not leaves or (form.pointer_argument == 5 and not cookies):
        return []
    return [*enter, *leaves]


def _entry(role: Role, function: Function, *, needs: int, form: Form | None = None, cookies: bool = True) -> list[Site]:
    """The first emulated instruction if the arguments still stand there, else the first one of all; none where no probe can sit."""
    wanted = form.pointer_argument if form else 0
    for step in walk(function.code, function.address):
        if not step.emulated:
            continue
        pointer = _register_argument(step, wanted) if wanted else 4
        if step.arguments_intact(needs) and pointer and (cookies or pointer == 4):
            return [
                Site(
                    function=function.name,
                    role=role,
                    probe=Probe.UPROBE,
                    file_offset=_offset(function, step),
                    emulated=True,
                    count=Count.POINTER if wanted else Count.RESULT,
                    pointer_argument=pointer,
                    extended=bool(wanted),
                    instruction=step.mnemonic,
                )
            ]
        break  # every call passes the first jump; behind it only some do
    return [_first(role, Probe.UPROBE, function, form)] if can_be_probed(function.code) else []


def _register_argument(step: Step, wanted: int) -> int:
    """4 or 5: the argument register that holds argument ``wanted`` now; 0 where neither does."""
    return next((number for register, number in (("rcx", 4), ("r8", 5)) if step.holds(register, wanted)), 0)


def _returns(way: Way, form: Form, function: Function, uretprobe_safe: bool, cookies: bool) -> list[Site]:
    count = Count.POINTER if form.pointer_argument else Count.RESULT
    if not form.pointer_argument and cookies:
        behind = _behind_inner_call(way, function)
        if behind:
            return [behind]
    if uretprobe_safe:
        for step in walk(function.code, function.address):
            if step.emulated and step.stack == 0:
                return [
                    _return_site(way, function, Probe.URETPROBE, _offset(function, step), True, count, step.mnemonic)
                ]
            if step.emulated or step.stack:
                break
        ways_out = exits(function.code, function.address)
        if any(way_out.tail_jump for way_out in ways_out):
            return [
                _return_site(
                    way,
                    function,
                    Probe.URETPROBE if way_out.tail_jump else Probe.UPROBE,
                    way_out.address - function.address + function.file_offset,
                    way_out.emulated,
                    count,
                    way_out.mnemonic,
                )
                for way_out in ways_out
            ]
        if can_be_probed(function.code):
            return [_return_site(way, function, Probe.URETPROBE, function.file_offset, False, count, "first")]
    offsets = [at - function.address + function.file_offset for at in returns(function.code, function.address)]
    return [_return_site(way, function, Probe.UPROBE, offset, False, count, "ret") for offset in offsets]


def _return_site(
    way: Way, function: Function, probe: Probe, offset: int, emulated: bool, count: Count, instruction: str
) -> Site:
    return Site(
        function=function.name,
        role=way.leave,
        probe=probe,
        file_offset=offset,
        emulated=emulated,
        count=count,
        extended=count == Count.POINTER,
        instruction=instruction,
    )


def _behind_inner_call(way: Way, function: Function) -> Site | None:
    """
    ``call inner; test %eax,%eax; jle …``: the jump, with the result in eax and the count in the frame.

    Every success passes it, because nothing but the check of a negative size jumps over the call.
    """
    slot: StackSlot | None = None
    before = ""
    for step in walk(function.code, function.address):
        if slot is not None:
            if step.mnemonic == "test eax, eax":
                before = step.mnemonic
                continue
            if not before or not step.emulated or not step.mnemonic.startswith("j"):
                return None
            return Site(
                function=function.name,
                role=way.leave,
                probe=Probe.UPROBE,
                file_offset=_offset(function, step),
                emulated=True,
                count=Count.STACK,
                stack_offset=slot.offset - step.stack,
                instruction=step.mnemonic,
            )
        if step.mnemonic.startswith("call"):
            slot = _count_slot(step)
            if slot is None:
                return None
        elif step.mnemonic.startswith("j") and before not in _SIZE_CHECKS:
            return None
        before = step.mnemonic if slot is None else ""
    return None


def _count_slot(step: Step) -> StackSlot | None:
    """Where an inner call puts the count, if it is one: the same connection, buffer and size, and a pointer into the frame."""
    if not step.arguments_intact(3):
        return None
    for register in ("rcx", "r8"):
        value = step.values.get(register)
        if isinstance(value, StackSlot):
            return value
    return None


def _leads_to_another(form: Form, functions: Mapping[str, Function]) -> bool:
    """Whether a function only jumps into one that has sites of its own: SSL_write_ex into SSL_write_ex2, from OpenSSL 3.3 on."""
    addresses = {function.address for name, function in functions.items() if name != form.name}
    code = functions[form.name]
    return any(step.mnemonic.startswith("jmp") and step.target in addresses for step in walk(code.code, code.address))


# ---------------------------------------------------------------------------------------- the inner function of several


def _inner_sites(elf: ElfFile, way: Way, present: Iterable[tuple[Form, Function]], cookies: bool) -> list[Site]:
    """
    Entry and return of the internal function that all exported forms call (``ssl_read_internal``), if that begins cheaply.

    There the count always goes through a pointer, so one pair of probes on one instruction serves all forms.
    """
    found = {_inner_of(elf, form, function) for form, function in present}
    if len(found) != 1:
        return []
    inner = found.pop()
    if inner is None or not (cookies or inner.pointer_argument == 4):
        return []
    function = elf.function_at(inner.address, name=inner.name)
    if function is None:
        return []
    for step in walk(function.code, function.address):
        if not step.emulated:
            continue
        if step.stack or not step.arguments_intact(way.needs):
            return []
        if _register_argument(step, inner.pointer_argument) != inner.pointer_argument:
            return []
        offset = _offset(function, step)
        entry = Site(
            function=inner.name,
            role=way.entry,
            probe=Probe.UPROBE,
            file_offset=offset,
            emulated=True,
            count=Count.POINTER,
            pointer_argument=inner.pointer_argument,
            extended=True,
            instruction=step.mnemonic,
        )
        return [entry, _return_site(way, function, Probe.URETPROBE, offset, True, Count.POINTER, step.mnemonic)]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inner:
    name: str
    address: int
    pointer_argument: int


def _inner_of(elf: ElfFile, form: Form, function: Function) -> _Inner | None:
    """The function that ``form`` hands its connection, buffer, size and count pointer to, on its only way to success."""
    values = None
    for _ in range(_MAX_TAIL_JUMPS):
        before, jump = "", None
        for step in walk(function.code, function.address, values):
            if step.mnemonic.startswith("call"):
                pointer = _pointer_argument(step, form)
                if step.target is None or not pointer or not step.arguments_intact(3):
                    return None
                return _Inner(name=f"{_base_name(form)} (inner)", address=step.target, pointer_argument=pointer)
            if step.mnemonic.startswith("jmp"):
                jump = step
            elif step.mnemonic.startswith("j") and before not in _SIZE_CHECKS:
                return None
            before = step.mnemonic
        if jump is None or jump.target is None or jump.stack:
            return None
        following = elf.function_at(jump.target)
        if following is None:
            return None
        function, values = following, jump.values
    return None


def _base_name(form: Form) -> str:
    return form.name.partition("_ex")[0]


def _pointer_argument(step: Step, form: Form) -> int:
    """4 or 5: which argument of the inner call is the pointer to the count; 0 where none is."""
    wanted = form.pointer_argument
    for register, number in (("rcx", 4), ("r8", 5)):
        value = step.values.get(register)
        if value == Argument(number=wanted) if wanted else isinstance(value, StackSlot):
            return number
    return 0


def _offset(function: Function, step: Step) -> int:
    return step.address - function.address + function.file_offset
