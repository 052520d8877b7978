"""What is printed in a GitHub job, whose runner takes lines of it for commands; see ``reports/github.py`` for ours."""

from __future__ import annotations

import os
import re

# As the runner reads them: '::' after white space at a line's beginning, where '\r' ends a line too; '##[' anywhere.
_COMMAND = re.compile(r"((?:^|[\r\n])\s*:):|##\[")
_BREAK = "\u200b"  # takes no room


def escape_commands(text: str, *, in_job: bool = False) -> str:
    """The same to look at, and no line of it is a command: what notebooks say is in it.

    Outside of a job (``in_job`` says that it is one where its variables do not) nothing is changed.
    """
    if not (in_job or os.environ.get("GITHUB_ACTIONS")):
        return text
    return _COMMAND.sub(lambda found: f"{found[1]}{_BREAK}:" if found[1] else f"##{_BREAK}[", text)


def escape_json(document: str) -> str:
    """The same document; it is in one line, so that only '##[' is looked for in it."""
    return document.replace("##[", "#\\u0023[") if os.environ.get("GITHUB_ACTIONS") else document
