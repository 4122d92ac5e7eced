"""C and Python say the same about every struct, number and name that crosses."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from pathlib import Path

import pytest

from agent.capture import records, source
from agent.capture.link_ids import MEMBER_BITS
from agent.capture.plan import Count
from agent.model import Direction

STRUCTS = {
    "record": records.Record,
    "conn_key": records.ConnKey,
    "conn": records.Conn,
    "verdict": records.VerdictValue,
    "peer": records.PeerAddress,
    "opened": records.OpenedRecord,
    "descriptor": records.DescriptorValue,
    "sighting_key": records.SightingKey,
    "sighting": records.SightingValue,
}
HEADER = source.folder() / "podtab.h"


def compiled(tmp_path: Path, body: str) -> str:
    """What a C program with our header prints; every unnamed hole in a struct is an error."""
    program = tmp_path / "program"
    text = f'#include <stdio.h>\n#include <stddef.h>\n#include "{HEADER}"\nint main(void) {{ {body} return 0; }}\n'
    command = ["cc", "-x", "c", "-Wall", "-Wpadded", "-Werror", "-o", str(program), "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
    return subprocess.run([program], text=True, check=True, capture_output=True).stdout


@pytest.mark.parametrize("name", STRUCTS)
def test_layout(name: str, tmp_path: Path) -> None:
    """ctypes and C must agree on every offset and size, or every event is silently wrong."""
    struct = STRUCTS[name]
    fields = [field[0] for field in struct._fields_]
    prints = "".join(f'printf("\\"{field}\\": %zu, ", offsetof(struct {name}, {field}));' for field in fields)
    said = json.loads(
        compiled(tmp_path, f'printf("{{"); {prints} printf("\\"sizeof\\": %zu}}", sizeof(struct {name}));')
    )
    ours = {field: getattr(struct, field).offset for field in fields}
    assert said == ours | {"sizeof": ctypes.sizeof(struct)}
    body = re.search(rf"struct {name} {{(.*?)}};", HEADER.read_text(encoding="utf-8"), re.DOTALL)
    assert body
    declared = re.findall(r"(\w+)(?:\[\d+\])?;", re.sub(r"//.*", "", body[1]))
    assert declared == fields


def test_the_fast_format_is_the_same_struct() -> None:
    """struct.Struct reads what ctypes wrote."""
    record = records.Record(
        at_ns=1, ssl=2, born_ns=3, cgroup_id=4, position=5, lost=6, tgid=7, size=8, kind=records.CLOSED, direction=1
    )
    assert records.RECORD_FORMAT.unpack(bytes(record)) == (1, 2, 3, 4, 5, 6, 7, 8, records.CLOSED, 1)


def test_numbers(tmp_path: Path) -> None:
    """Kinds, directions, judgements and ways to count have the same numbers on both sides."""
    names = "RECORD_DATA RECORD_CLOSED RECORD_PROCESS_EXEC RECORD_PROCESS_EXIT RECORD_OPENED RECORD_HELLO HOW_GIVEN HOW_MEMORY SENT RECEIVED COUNT_RESULT COUNT_STACK COUNT_POINTER WATCH IGNORE"
    body = "".join(f'printf("%d ", {name});' for name in names.split())
    said = [int(number) for number in compiled(tmp_path, body).split()]
    kinds = [records.DATA, records.CLOSED, records.PROCESS_EXEC, records.PROCESS_EXIT, records.OPENED, records.HELLO]
    from agent.capture.kernel import _JUDGEMENTS

    hows = [records.GIVEN, records.MEMORY]
    assert said == [*kinds, *hows, *Direction, Count.RESULT, Count.STACK, Count.POINTER, *_JUDGEMENTS.values()]


def test_counters_have_their_names(tmp_path: Path) -> None:
    """COUNTERS is enum counter, in its order: else a metric tells another's figure."""
    names = [name.upper() for name in records.COUNTERS]
    body = "".join(f'printf("%d ", {name});' for name in [*names, "COUNTERS_LENGTH"])
    assert [int(number) for number in compiled(tmp_path, body).split()] == list(range(len(names) + 1))


@pytest.mark.parametrize("link", [1, 0xFFF, 0x1000, 2**32 - 1])
def test_code_of_a_link(link: int, tmp_path: Path) -> None:
    """Both sides cut a link's number at the same place."""
    assert int(compiled(tmp_path, f'printf("%u", CODE_OF({link}u));')) == link >> MEMBER_BITS


@pytest.mark.parametrize("link", [1, 77, 2**32 - 1])
@pytest.mark.parametrize(("count", "offset", "argument"), [(0, 0, 4), (1, 0x7FF8, 4), (2, 0, 5)])
def test_cookie(link: int, count: int, offset: int, argument: int, tmp_path: Path) -> None:
    """What Python packs, the macros of C unpack."""
    value = records.cookie(link=link, count=count, stack_offset=offset, pointer_argument=argument)
    macros = ("COOKIE_LINK", "COOKIE_COUNT", "COOKIE_STACK_OFFSET", "COOKIE_POINTER_IS_ARGUMENT_5")
    body = "".join(f'printf("%llu ", (unsigned long long){macro}({value}ULL));' for macro in macros)
    assert [int(number) for number in compiled(tmp_path, body).split()] == [link, count, offset, argument == 5]
