"""Words of the configuration."""

from __future__ import annotations

import pytest

from agent.config import ConfigError, loads
from agent.config_choices import MAX_PORTS, plaintext_ports


@pytest.mark.parametrize(
    ("words", "ports"), [((), None), (("any",), ()), (("8000",), (8000,)), (("9", "8000", "9"), (9, 8000))]
)
def test_plaintext(words: tuple[str, ...], ports: tuple[int, ...] | None) -> None:
    """Off, any port, or these, each once."""
    assert plaintext_ports(words) == ports


@pytest.mark.parametrize("text", ['["any", "80"]', '["0"]', '["65536"]', '["http"]', '["-1"]', '["²"]', '["99999999"]'])
def test_plaintext_that_is_none(text: str) -> None:
    """Refused at the start, with the key's name."""
    with pytest.raises(ConfigError, match=r"capture\.plaintext must be empty"):
        loads(f"capture: {{plaintext: {text}}}", environ={})


def test_too_many_ports() -> None:
    """Bounded, as the kernel's table is."""
    with pytest.raises(ValueError, match="at most"):
        plaintext_ports(tuple(str(port) for port in range(1, MAX_PORTS + 2)))
