"""The C sources as one text."""

from __future__ import annotations

import re

from agent.capture import source


def test_every_file_of_bpf_is_in_it() -> None:
    """A file that is forgotten in FILES would silently not be compiled."""
    there = {path.name for path in source.folder().glob("*.[ch]")}
    assert there == set(source.FILES)


def test_errors_point_at_the_real_file() -> None:
    """Each part begins with a #line of its own, and keeps its line numbers."""
    text = source.load()
    for name in source.FILES:
        _, _, rest = text.partition(f'#line 1 "bpf/{name}"\n')
        body = (source.folder() / name).read_text(encoding="utf-8")
        assert rest.startswith(body.replace("#pragma once", "", 1))


def test_nothing_is_included_but_types() -> None:
    """BCC does not rewrite map access in included files, and our headers hold types only."""
    included = re.findall(r"^\s*#\s*include\s+(\S+)", source.load(), re.MULTILINE)
    assert included == ["<linux/types.h>", "<linux/ptrace.h>"]


def test_order_is_that_of_files() -> None:
    """Pure: texts in, one text out."""
    text = source.flatten({name: f"#pragma once\nint {name.replace('.', '_')};\n" for name in source.FILES})
    assert re.findall(r"^int (\w+);", text, re.MULTILINE) == [name.replace(".", "_") for name in source.FILES]
    assert "#pragma" not in text
