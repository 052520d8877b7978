"""Output of the command line; an error while writing does not change a verdict's exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Literal, TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def escape_control(text: str) -> str:
    """Escape control characters other than line breaks and tabs, as JSON does: a terminal obeys them."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write(text: str, stream: TextIO) -> Literal["written", "closed", "failed"]:
    """Write a text and a newline, with escaped control characters.

    ``closed``: its reader has ended, as in ``nbdeploy logs … | head``, and wants no more; ``failed``: it cannot be
    written, which is said on stderr. Afterwards the stream leads nowhere, since Python writes it again when it ends.
    """
    try:
        print(escape_control(text), file=stream, flush=True)
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            return "closed"
        if stream is not sys.stderr:
            write(f"nbdeploy: the result cannot be written to stdout: {error.strerror}", sys.stderr)
        return "failed"
    return "written"


def as_json(result: Any) -> str:
    """Encode a verb's domain object, or several, as JSON."""
    if isinstance(result, Iterable) and not hasattr(result, "model_dump_json"):
        return json.dumps([item.model_dump(mode="json") for item in result], ensure_ascii=False)
    document: str = result.model_dump_json()
    return document
