"""Escaping of output in a GitHub job, whose runner reads some lines as commands; see ``reports/github.py``."""

from __future__ import annotations

import os
import re

# The runner's commands: '::' after white space at the start of a line, which '\r' ends too; '##[' anywhere.
_COMMAND = re.compile(r"((?:^|[\r\n])\s*:):|##\[")
_BREAK = "\u200b"  # has no width


def escape_commands(text: str, *, in_job: bool = False) -> str:
    """Escape commands in a text, which may contain output of notebooks; it looks the same.

    Outside a job nothing changes. ``in_job``: this is a job, even without its variables.
    """
    if not (in_job or os.environ.get("GITHUB_ACTIONS")):
        return text
    return _COMMAND.sub(lambda match: f"{match[1]}{_BREAK}:" if match[1] else f"##{_BREAK}[", text)


def escape_json(document: str) -> str:
    """Escape commands in a JSON document; it has one line, so only '##[' can occur."""
    return document.replace("##[", "#\\u0023[") if os.environ.get("GITHUB_ACTIONS") else document
