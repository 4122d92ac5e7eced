"""
The salt of API keys' hashes: from a file that is the same on every node, else a new one at every start.

With one file the same key has the same hash everywhere, so calls can be added up by key; without it hashes of two nodes, or of two
starts, have nothing to do with each other.
"""

from __future__ import annotations

import secrets

from agent.model import PodtabError

# Less can be guessed by trying; more than a page is not a salt but the wrong file.
_MIN_BYTES, _MAX_BYTES = 16, 4096


class KeySaltError(PodtabError):
    """The file of the salt can't be used."""


def load(path: str) -> bytes:
    """The salt in the file at ``path``, white space at its ends left out; a random one where no file is named."""
    if not path:
        return secrets.token_bytes(32)
    try:
        with open(path, "rb") as file:
            salt = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise KeySaltError(f"{path}: the salt of API keys can't be read: {error.strerror}") from None
    if len(salt) > _MAX_BYTES or len(salt.strip()) < _MIN_BYTES:
        raise KeySaltError(
            f"{path}: a salt has {_MIN_BYTES} to {_MAX_BYTES} bytes: make one with `openssl rand -hex 32`"
        )
    return salt.strip()
