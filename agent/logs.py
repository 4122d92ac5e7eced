"""
Structured logs on standard error: one line an event, ``key=value`` for people or JSON for machines.

Events are words, facts are fields; payload, keys and prompts have no way in, because nothing here formats an object.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

Field = str | int | float | bool


class _Formatter(logging.Formatter):
    def __init__(self, form: Literal["text", "json"]) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Field] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # The class only: messages of foreign exceptions can quote what they were given.
            fields["exception"] = record.exc_info[0].__name__
        if self._form == "json":
            return orjson.dumps(fields).decode()
        return " ".join(f"{key}={_quoted(value)}" for key, value in fields.items())


def _quoted(value: Field) -> str:
    """Process and file names are hostile: a line feed in one must not forge a log line."""
    text = str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=')
    return text if plain and text else orjson.dumps(text).decode()


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send podtab's logs to standard error.  Libraries speak from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # The client logs every response body it could not parse; ours says what matters.
    logging.getLogger("kubernetes").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("podtab").setLevel(level.upper())


class Log:
    """``log.info("attached", library=path, sites=4)``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"podtab.{name}")

    def debug(self, event: str, **fields: Field) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Field) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Field) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: Field) -> None:
        self._logger.error(event, extra={"fields": fields})
