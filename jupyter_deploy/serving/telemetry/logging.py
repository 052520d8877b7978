"""The service's log: lines of text, or with ``NBDEPLOY_LOG_FORMAT=json`` one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

FORMAT = "NBDEPLOY_LOG_FORMAT"
FORMATS = ("text", "json")


def log_format() -> str:
    """Return the format that the environment sets, one of ``FORMATS``.

    Raises
    ------
    ValueError
        Another format is set.
    """
    name = os.environ.get(FORMAT) or "text"
    if name not in FORMATS:
        raise ValueError(f"{FORMAT} must be text or json, not {name!r}")
    return name


def log(message: str, *, details: str = "", level: str = "error", **about: Any) -> None:
    """Write one message to standard error.

    Parameters
    ----------
    details
        Further lines, such as a traceback.
    about
        Further keys of the JSON object.
    """
    if os.environ.get(FORMAT) == "json":
        entry = {"ts": datetime.now(UTC).isoformat(), "level": level, "message": message, **about}
        line = json.dumps(entry | ({"details": details} if details else {})) + "\n"
    else:
        line = f"{message}\n{details}"
    sys.stderr.write(line)
    sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """A formatter for messages of the server and the libraries."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["details"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_log_format() -> None:
    """Use the JSON format for the server's own messages too, if it is set."""
    if log_format() == "json":
        for name in ("", "uvicorn"):
            for handler in logging.getLogger(name).handlers:
                handler.setFormatter(JsonFormatter())
