"""Data of users as texts of a bounded length: JSON, whatever stands in it; nothing in it is ever interpreted."""

from __future__ import annotations

import json
from typing import Any


def compact(value: Any, most: int) -> str:
    """JSON on one line, cut with ``…``."""
    text, cut = _written(json.JSONEncoder(ensure_ascii=False), value, most)
    return f"{text}…" if cut else text


def pretty(value: Any, most: int) -> tuple[str, bool]:
    """JSON as people read it, of at most ``most`` characters, and whether that is not all of it."""
    return _written(json.JSONEncoder(ensure_ascii=False, indent=2), value, most)


def _written(encoder: json.JSONEncoder, value: Any, most: int) -> tuple[str, bool]:
    """Of what is megabytes long no more is written than is shown."""
    parts, length = [], 0
    for part in encoder.iterencode(value):
        parts.append(part)
        length += len(part)
        if length > most:
            break
    text = "".join(parts)
    # Half of a surrogate pair is no text that UTF-8 could carry; JSON's own escape is.
    text = text[:most].encode("utf-8", "backslashreplace").decode()
    return text, length > most
