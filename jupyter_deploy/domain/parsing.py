"""Parsers of shares, durations and moments, for requests and settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from .errors import InvalidInput, InvalidTraffic
from .expressions import SECONDS


def parse_shares(given: Any) -> Any:
    """Parse ``TAG=PERCENT`` texts (one or a list) into a mapping; a mapping stays as it is.

    Raises
    ------
    InvalidTraffic
        A text without ``=``, a percentage that is not a number, or one tag twice.
    """
    if given is None or isinstance(given, Mapping):
        return given or {}
    shares: dict[str, float] = {}
    for text in list(given) if isinstance(given, list | tuple) else [given]:
        tag, equals, percent = str(text).rpartition("=")
        try:
            number = float(percent.removesuffix("%"))
        except ValueError:
            number = None
        if not equals or not tag or number is None:
            raise InvalidTraffic(
                f"'{text}' is not TAG=PERCENT", "write, for example, --shadow 1a2b3c4d=100; in Python {'1a2b3c4d': 100}"
            )
        if tag in shares:
            raise InvalidTraffic(f"{tag} is named twice", "name each release once")
        shares[tag] = number
    return shares


DEFAULT = "default"

_DURATION = re.compile(rf"\s*(\d+(?:\.\d+)?)\s*({'|'.join(SECONDS)})\s*")


def parse_duration(given: Any) -> Any:
    """``500ms``, ``90s``, ``15m``, ``1h``, ``7d`` or ``2w`` as a timedelta; the units are those of gates."""
    if not isinstance(given, str):
        return given
    match = _DURATION.fullmatch(given)
    if not match:
        raise InvalidInput(f"'{given}' is not a duration", "write 90s, 15m, 1h, 7d or 2w")
    return timedelta(seconds=float(match[1]) * SECONDS[match[2]])


def parse_tolerance(given: Any) -> Any:
    """Parse ``1%`` or ``0.01`` into a share of at least 0.

    Raises
    ------
    InvalidInput
        The text is not such a share.
    """
    if given is None:
        return None
    try:
        number = float(str(given).strip().removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InvalidInput(f"'{given}' is not a tolerance", "write a share of at least 0, such as 1% or 0.01")
    if str(given).strip().endswith("%"):
        return number / 100
    if number > 1:
        raise InvalidInput(f"'{given}' would be {number:.0%}", f"did you mean {number:g}%?")
    return number


def parse_kept_tolerance(given: Any) -> Any:
    """Parse a tolerance, or ``default``. Raises InvalidInput, as ``parse_tolerance``."""
    return DEFAULT if given == DEFAULT else parse_tolerance(given)


def parse_absolute_tolerance(given: Any) -> Any:
    """Parse a difference of at least 0, or ``default``.

    Raises
    ------
    InvalidInput
        The text is neither.
    """
    if given is None or given == DEFAULT:
        return given
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InvalidInput(
            f"'{given}' is not a tolerance", "write a number of at least 0 in the answers' unit, such as 0.5"
        )
    return number


def parse_sample(given: Any) -> Any:
    """Parse ``10%`` or ``0.1`` into a share above 0, at most 1.

    Raises
    ------
    InvalidInput
        The text is not such a share.
    """
    if given is None:
        return None
    text = str(given).strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = 0.0
    if 0 < number <= 1:
        return number
    hint = f"did you mean {text}%?" if 1 < number <= 100 else "write 10%, 0.1 or, for all of them, 1"
    raise InvalidInput(f"'{given}' is not a share of the requests", f"{hint}; --record off records none")


def parse_moment(given: Any) -> Any:
    """Parse ``7d`` (ago) into a timedelta, ``2026-11-25T12:00`` into a datetime; without a zone it is local time."""
    if not isinstance(given, str):
        return given
    try:
        return datetime.fromisoformat(given.strip()).astimezone()
    except ValueError:
        pass
    try:
        return parse_duration(given)
    except InvalidInput:
        raise InvalidInput(
            f"'{given}' is not a duration and not a moment", "write 15m, 7d, 2026-11-25 or 2026-11-25T12:00+01:00"
        ) from None


def _segments(given: Any) -> Any:
    from .evidence.segments import check_segments  # noqa: PLC0415 - statistics, which --help does not need

    return check_segments(given)


def _conditions(given: Any) -> Any:
    from .evidence.segments import check_conditions  # noqa: PLC0415 - as above

    return check_conditions(given)


def _requirements(given: Any) -> Any:
    from .gates.figures import check_requirements  # noqa: PLC0415 - figures and comparisons, which --help does not need

    return check_requirements(given)


Shares = Annotated[dict[str, float], BeforeValidator(parse_shares)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Tolerance = Annotated[float, BeforeValidator(parse_tolerance)]
KeptTolerance = Annotated[float | Literal["default"], BeforeValidator(parse_kept_tolerance)]
KeptAbsoluteTolerance = Annotated[float | Literal["default"], BeforeValidator(parse_absolute_tolerance)]
Segments = Annotated[tuple[str, ...], BeforeValidator(_segments)]
Conditions = Annotated[tuple[str, ...], BeforeValidator(_conditions)]
Sample = Annotated[float, BeforeValidator(parse_sample)]
Requirements = Annotated[list[str], BeforeValidator(_requirements)]
Moment = Annotated[
    timedelta | datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string"}, mode="validation"),  # "15m" is no duration of JSON Schema
]
