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
    wanted = os.environ.get(FORMAT) or "text"
    if wanted not in FORMATS:
        raise ValueError(f"{FORMAT} must be text or json, not {wanted!r}")
    return wanted


def tell(message: str, *, details: str = "", level: str = "error", **about: str) -> None:
    """Write one message; ``details`` are more lines, such as a traceback."""
    if os.environ.get(FORMAT) == "json":
        told = {"ts": datetime.now(UTC).isoformat(), "level": level, "message": message, **about}
        line = json.dumps(told | ({"details": details} if details else {})) + "\n"
    else:
        line = f"{message}\n{details}"
    sys.stderr.write(line)
    sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """For the messages of the server and the libraries."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["details"] = self.formatException(record.exc_info)
        return json.dumps(told)


def in_one_format() -> None:
    """Have the server's own messages in the wanted format too."""
    if log_format() == "json":
        for name in ("", "uvicorn"):
            for handler in logging.getLogger(name).handlers:
                handler.setFormatter(JsonFormatter())
