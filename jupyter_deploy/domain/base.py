"""The base of the domain's values: frozen, strict about unknown fields."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value; two with equal fields are equal. The faces define its text (``text_forms``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __str__(self) -> str:
        """Return a face's text form of this type, else pydantic's."""
        forms = (form(self) for form in text_forms)
        return next((text for text in forms if text is not None), None) or super().__str__()


@dataclass(frozen=True)
class FilePath:
    """Marks a request's field as a file or folder, or several.

    Attributes
    ----------
    written
        The verb writes it. A file to read may also be another source, such as a snapshot's tag.
    default
        The file that the verb writes if the request names none.
    first_only
        Of several, only the first one is a file: the others are names.
    """

    written: bool = False
    default: str | None = None
    first_only: bool = False


def user_name() -> str:
    """Return the user's login name, else the numeric user id: a container's user often has no entry in passwd."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


RecordMode = Literal["full", "meta", "off"]
"""Recorded data of a request: everything; everything except inputs, outputs and error messages; nothing."""

text_forms: list[Callable[[Any], str | None]] = []
"""Text forms that the faces add; one returns None for types that it does not know."""


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def one_line(text: str, limit: int) -> str:
    """Return a text in one line of at most ``limit`` characters: a line break would break a table."""
    words = " ".join(text.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def percent_in_words(share: float) -> str:
    """Format a share: ``10 %``."""
    return f"{100 * share:.4g} %"


def size_in_words(size: int) -> str:
    """Format a number of bytes: ``58 bytes``, ``3.4 MB``."""
    if size < 1000:
        return f"{size} byte{'s' * (size != 1)}"
    unit, factor, digits = next(one for one in _UNITS if size >= one[1] * 0.9995)
    return f"{round(size / factor, digits):g} {unit}"


def duration_in_words(seconds: float) -> str:
    """Format a duration: ``90 s``, ``30 min``, ``2 h``."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor and seconds % factor == 0:
            return f"{seconds / factor:g} {unit}"
    return f"{seconds:g} s"


_UNITS = (("GB", 10**9, 2), ("MB", 10**6, 1), ("kB", 10**3, 1))
