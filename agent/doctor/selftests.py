"""
What only trying tells: capture's own self-tests, and the libraries in use with the sites a probe would sit on.

A test that could not be made is told as such; it is not a pass.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Result(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_MADE = "not_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    name: str
    """ring_buffer, uprobe_multi or uretprobe_seccomp."""
    result: Result
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A TLS library that running processes map."""

    path: str
    processes: int
    sites: int
    slow: tuple[str, ...] = ()
    """Functions whose probe sits on an instruction that is single-stepped."""
    missing: tuple[str, ...] = ()
    """Functions without any site, with the reason."""


def selftests() -> tuple[SelfTest, ...]:
    """Run those that capture offers."""
    return ()


def libraries() -> tuple[Library, ...]:
    """Of all running processes."""
    return ()
