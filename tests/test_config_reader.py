"""The reader of configuration files: strict, and silent about values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from agent.config_reader import MAX_TEXT_CHARS, ConfigError, Range, Size, build, insert, parse, size_text


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    count: Annotated[int, Range(low=1, high=10)] = 3
    ratio: float = 0.5
    size: Annotated[int, Size(low=1024, high=1024**3, power_of_two=True)] = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    colour: Colour = Colour.RED
    names: tuple[str, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = False
    text: str = ""


def read(text: str) -> Outer:
    return build(Outer, parse(text, "f.yaml"), "f.yaml")


def test_an_empty_text_is_all_defaults() -> None:
    """Every key has a default; a section without keys below it is one too."""
    assert read("") == read("# nothing\n") == read("inner:\n") == Outer()


def test_values_arrive_with_their_types() -> None:
    """Numbers, words, lists and mappings become what the hints say."""
    read_back = read(
        "{inner: {count: 7, ratio: 2, size: 8MiB}, colour: green, names: [a, b], pairs: {k: v}, enabled: true, text: x}"
    )
    assert read_back == Outer(
        inner=Inner(count=7, ratio=2.0, size=8 * 1024**2),
        colour=Colour.GREEN,
        names=("a", "b"),
        pairs={"k": "v"},
        enabled=True,
        text="x",
    )
    assert isinstance(read_back.inner.ratio, float)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colur: red", ["unknown key colur", "did you mean colour?"]),
        ("inner: {cuont: 1}", ["unknown key inner.cuont", "did you mean count?"]),
        ("zzz: 1", ["unknown key zzz", "known here: inner, colour, names, pairs, enabled, text"]),
        ("colour: redd", ["colour must be one of red, green", "did you mean red?"]),
        ("colour: [red]", ["colour must be one of red, green", "found a list"]),
        ("inner: 5", ["inner must be a mapping", "not a number"]),
        ("inner: {count: many}", ["inner.count must be a whole number", "not a string"]),
        ("inner: {count: yes}", ["inner.count must be a whole number", "not true or false"]),
        ("inner: {count: 1.5}", ["inner.count must be a whole number"]),
        ("inner: {count: 11}", ["inner.count must be between 1 and 10"]),
        ("inner: {ratio: }", ["inner.ratio must be a number", "not nothing"]),
        ("inner: {ratio: .nan}", ["inner.ratio must be a finite number"]),
        ("inner: {size: 8MB}", ["inner.size must be a number of bytes, or one with KiB, MiB, GiB"]),
        ("inner: {size: 12KiB}", ["inner.size must be a power of two"]),
        ("inner: {size: 2GiB}", ["inner.size must be between 1KiB and 1GiB"]),
        ("enabled: 1", ["enabled must be true or false", "not a number"]),
        ("text: no", ["text must be a string", "quotes"]),
        ("names: a", ["names must be a list of strings", "not a string"]),
        ("names: [1]", ["names must be a list of strings"]),
        ("pairs: {a: 1}", ["pairs must be a mapping of strings to strings"]),
        ("enabled: true\nenabled: false", ["line 2", "stands twice"]),
        ("inner: {count: 1, count: 2}", ["stands twice"]),
        ("- a", ["must be a mapping", "not a list"]),
        ("a: [", ["line 1", "not valid YAML"]),
        ("a: 1\n---\nb: 2", ["not valid YAML"]),
        ("text: !!python/object/apply:os.system [id]", ["not valid YAML"]),
        ("a: " + "[" * 20_000, ["not valid YAML"]),
        ("? {a: 1}\n: 2", ["not valid YAML"]),
        ("#" * (MAX_TEXT_CHARS + 1), ["no configuration file"]),
        ("inner: \x00", ["not valid YAML"]),
    ],
)
def test_a_mistake_is_named(text: str, words: list[str]) -> None:
    """One sentence: the file, the key, what is allowed, what kind of thing was found, the nearest known key."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith("f.yaml")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "text", ["colour: {v}", "enabled: {v}", "inner: {{count: {v}}}", "inner: {{size: {v}}}", "{v}: ["]
)
def test_a_value_is_never_shown(text: str) -> None:
    """A key pasted into the wrong place must not reach a log."""
    with pytest.raises(ConfigError) as caught:
        read(text.format(v="sk-live-51H8"))
    assert "sk-live" not in str(caught.value)


def test_the_command_line_wins_over_the_file() -> None:
    """insert() converts a text to the wanted type, creates the section, and keeps the section's other keys."""
    data = parse("inner: {count: 2, ratio: 0.25}", "f.yaml")
    for path, value in [
        ("inner.count", "9"),
        ("text", "12"),
        ("enabled", "true"),
        ("names", "a, b"),
        ("inner.size", "1MiB"),
    ]:
        insert(data, Outer, path, value, "command line")
    assert build(Outer, data, "f.yaml") == Outer(
        inner=Inner(count=9, ratio=0.25, size=1024**2), text="12", enabled=True, names=("a", "b")
    )


@pytest.mark.parametrize("path", ["innr.count", "inner.cont", "inner.count.x", "nope"])
def test_an_unknown_override_is_named(path: str) -> None:
    """A wrong key path is told, and changes nothing."""
    data = parse("", "f.yaml")
    with pytest.raises(ConfigError, match="unknown key"):
        insert(data, Outer, path, "1", "command line")
    assert data == {}


def test_an_override_does_not_hide_a_broken_section() -> None:
    """A section that is no mapping stays an error when something below it is overridden."""
    data = parse("inner: 5", "f.yaml")
    with pytest.raises(ConfigError, match="inner is a number"):
        insert(data, Outer, "inner.count", "1", "command line")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1023, "1023"), (1024, "1KiB"), (3 * 1024**2, "3MiB"), (1024**4, "1024GiB")]
)
def test_sizes_are_written_as_they_are_read(count: int, text: str) -> None:
    """What size_text writes is what a person may write into the file."""
    assert size_text(count) == text
