"""Functions of real builds, as bytes; each file says where they are from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.capture.elf import Function, Segment

FOLDER = Path(__file__).parent / "data"
BUILDS = sorted(path.stem for path in FOLDER.glob("*.json"))


class Build:
    """Stands in for ``ElfFile``: the same questions, answered from a file."""

    machine = "x64"
    segments: tuple[Segment, ...] = ()
    code: tuple[Segment, ...] = ()
    loaded: tuple[Segment, ...] = ()

    def __init__(self, functions: Iterable[Function], pointers: Mapping[int, int] | None = None) -> None:
        self.all = list(functions)
        self._pointers = pointers or {}

    def functions(self, names: Iterable[str]) -> Mapping[str, Function]:
        return {function.name: function for function in self.all if function.name in set(names)}

    def in_time(self) -> None:
        """It is always."""

    def names_with(self, part: str) -> list[str]:
        return [function.name for function in self.all if part in function.name]

    def function_at(self, address: int, name: str = "", size: int = 0) -> Function | None:
        found = next((one for one in self.all if one.address == address), None)
        return found and Function(name=name, address=address, file_offset=found.file_offset, code=found.code)

    def has_section(self, name: str) -> bool:
        return False

    def pointers(self) -> Mapping[int, int]:
        return self._pointers


def load(name: str) -> Build:
    data = json.loads((FOLDER / f"{name}.json").read_text())
    functions = [
        Function(
            name=one["name"], address=one["address"], file_offset=one["file_offset"], code=bytes.fromhex(one["code"])
        )
        for one in data["functions"]
    ]
    build = Build(functions, {int(address): value for address, value in data.get("pointers", {}).items()})
    build.machine = data.get("machine", "x64")
    return build
