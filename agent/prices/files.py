"""
The price book of this machine: what came with podtab, the customer's file, a newer edition of the base tables.

A file that is broken is refused as a whole: at start with an error, later with a line in the log, and the old prices stay.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent.logs import Log
from agent.model import PodtabError
from agent.pricing import PriceBook, Pricer
from agent.pricing import overrides as customers
from agent.pricing.catalog import Catalog
from agent.pricing.rates import PriceBookError

# genai-prices' tables are below 3 MB; more is another file.
MAX_BYTES = 64 * 1024 * 1024

_LOG = Log("prices")
_Stamp = tuple[int, int, int]


class PriceFileError(PodtabError):
    """A file of prices can't be used; the message names it and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """ "" means none."""

    overrides: str = ""
    tables: str = ""


class PriceFiles:
    """Reads once at the start, and again when a file has changed."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._stamps = self._stat()

    def load(self) -> PriceBook:
        """The book, or ``PodtabError`` with file, line and reason."""
        catalog = parse_tables(self._paths.tables, read(self._paths.tables)) if self._paths.tables else None
        overrides = None
        if self._paths.overrides:
            try:
                text = read(self._paths.overrides).decode("utf-8")
            except UnicodeDecodeError:
                raise PriceFileError(f"{self._paths.overrides}: is not UTF-8 text") from None
            overrides = customers.parse(text, self._paths.overrides)
        return PriceBook(catalog, None, overrides)

    def refresh(self, pricer: Pricer) -> bool:
        """Take over what changed; True when prices are others now.  Costs a stat or two."""
        stamps = self._stat()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        try:
            book = self.load()
        except PodtabError as error:
            _LOG.error("prices not reloaded, the old ones stay", reason=str(error), price_book=pricer.price_book)
            return False
        if book.version == pricer.price_book:
            return False
        _LOG.info("prices changed", before=pricer.price_book, after=book.version)
        pricer.use(book)
        return True

    def _stat(self) -> tuple[_Stamp | None, ...]:
        """Inode too: a ConfigMap is changed by turning a symbolic link."""
        return tuple(_stamp(path) for path in (self._paths.overrides, self._paths.tables) if path)


def read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PriceFileError(f"{path}: can't be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise PriceFileError(f"{path}: larger than {MAX_BYTES // 1024**2} MiB, so it is no file of prices")
    return data


def parse_tables(origin: str, data: bytes) -> Catalog:
    """Base tables as the library publishes them."""
    try:
        return Catalog.parse(data)
    except PriceBookError as error:
        raise PriceFileError(f"{origin}: {error}") from None


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
