"""
A newer edition of the base tables, from a file or a mirror inside the cluster.  Nothing is ever fetched unasked.

Written beside the target first and moved over it when it was read and understood in full.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from agent.prices.files import MAX_BYTES, PriceFileError, parse_tables, read
from agent.pricing.catalog import Catalog

_TIMEOUT_SECONDS = 30.0


def fetch(source: str) -> bytes:
    """The bytes of a path or of an http(s) address."""
    if "://" not in source:
        return read(source)
    if not source.startswith(("http://", "https://")):
        raise PriceFileError(f"{source}: give a file, or an http or https address")
    try:
        with urllib.request.urlopen(source, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked one line above
            data = bytes(answer.read(MAX_BYTES + 1))
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise PriceFileError(f"{source}: can't be fetched: {getattr(error, 'reason', error)}") from None
    if len(data) > MAX_BYTES:
        raise PriceFileError(f"{source}: larger than {MAX_BYTES // 1024**2} MiB, so it is no file of prices")
    return data


def install(source: str, data: bytes, target: Path) -> Catalog:
    """Check ``data`` and put it where a running agent finds it (``prices.tables``)."""
    catalog = parse_tables(source, data)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    except OSError as error:
        raise PriceFileError(f"{target}: can't be written: {error.strerror}") from None
    return catalog
