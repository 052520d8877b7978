"""What the service itself says in its log: lines of text, or with ``NBDEPLOY_LOG_FORMAT=json`` one object each."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

FORMAT = "NBDEPLOY_LOG_FORMAT"
FORMATS = ("text", "json")


def log_format() -> str:
    """Which of ``FORMATS`` is wanted.

    Raises
    ------
    ValueError
        Another one.
    """
    name = os.environ.get(FORMAT) or "text"
    if name not in FORMATS:
        raise ValueError(f"{FORMAT} must be text or json, not {name!r}")
    return name


def log(message: str, *, details: str = "", level: str = "error", **about: str) -> None:
    """Write one message; ``details`` are more lines, such as a traceback."""
    if os.environ.get(FORMAT) == "json":
        entry = {"ts": datetime.now(UTC).isoformat(), "level": level, "message": message, **about}
        line = json.dumps(entry | ({"details": details} if details else {})) + "\n"
    else:
        line = f"{message}\n{details}"
    sys.stderr.write(line)
    sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """For the messages of the server and the libraries."""

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
    """Have the server's own messages in the wanted format too."""
    if log_format() == "json":
        for name in ("", "uvicorn"):
            for handler in logging.getLogger(name).handlers:
                handler.setFormatter(JsonFormatter())
