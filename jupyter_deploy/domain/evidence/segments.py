"""Segments of the requests, by a column or by bins of it. Pure.

A declaration is a column, whose values are the segments, or a column with bins: ``age: <30, 30-60, >=60`` (from 30 to
below 60). A bin that is no range is a value: ``region: north, south``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import Any, Literal

from jupyter_deploy.domain.errors import InvalidInput

from .e_values import refuted
from .sequential import LEVEL

MOST_SEGMENTS = 50

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ONE_SIDED = re.compile(rf"(<=|<|>=|>)\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|–|\.\.)\s*({_NUMBER})")
_LARGEST_LOG = 700.0  # a larger exponent overflows a float


@dataclass(frozen=True)
class SegmentBin:
    """Values from ``low`` to ``high``, each included or not; a text in ``value``: exactly this value."""

    name: str
    low: float = -inf
    high: float = inf
    low_included: bool = True
    high_included: bool = False
    value: str | None = None


@dataclass(frozen=True)
class SegmentColumn:
    """A declaration: a column and its bins; without bins each value is a segment."""

    column: str
    bins: tuple[SegmentBin, ...] = ()
    text: str = ""


def parse_segment(text: str) -> SegmentColumn:
    """Parse a declaration.

    Raises
    ------
    InvalidInput
        There is no column, a bin is empty or twice, or there are more than ``MOST_SEGMENTS`` bins.
    """
    column, colon, rest = (part.strip() for part in text.partition(":"))
    if not column:
        raise InvalidInput(f"the segment '{text}' names no column", _EXAMPLE)
    if not colon:
        return SegmentColumn(column, text=column)
    names = [part.strip() for part in rest.split(",")]
    if not all(names):
        raise InvalidInput(f"the segment '{text}' has an empty bin", _EXAMPLE)
    if len(names) > len(set(names)):
        raise InvalidInput(f"the segment '{text}' names a bin twice", _EXAMPLE)
    if len(names) > MOST_SEGMENTS:
        raise InvalidInput(f"the segment '{column}' has {len(names)} bins", f"name at most {MOST_SEGMENTS}")
    return SegmentColumn(column, tuple(_bin(name, text) for name in names), f"{column}: {', '.join(names)}")


def parse_segments(texts: Sequence[str]) -> tuple[SegmentColumn, ...]:
    """Parse declarations; each column is named once.

    Raises
    ------
    InvalidInput
        See ``parse_segment``; or a column is named twice, or there are more than ``MOST_SEGMENTS`` declarations.
    """
    parsed = tuple(parse_segment(text) for text in texts)
    columns = [one.column for one in parsed]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"the column '{twice}' has two segment declarations", "declare it once, with all its bins")
    if len(parsed) > MOST_SEGMENTS:
        raise InvalidInput(f"{len(parsed)} segments are declared", f"declare at most {MOST_SEGMENTS}")
    return parsed


def check_columns(
    declared: Sequence[SegmentColumn], columns: Sequence[str], redacted: Collection[str], endpoint: str
) -> None:
    """Require that records hold the declared columns. ``columns``: the model's; none: its instances have no names.

    Raises
    ------
    InvalidInput
        The model has no such column, or its values are redacted.
    """
    for one in declared:
        if one.column in redacted:
            raise InvalidInput(
                f"the segment '{one.text}' is by '{one.column}', and its values are redacted in {endpoint}'s records",
                "declare a segment by a column that is recorded",
            )
        if one.column in columns or (not columns and one.column.isdecimal()):
            continue
        near = difflib.get_close_matches(one.column, columns)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the columns are: {', '.join(columns)}"
        if not columns:
            hint = "its instances have no columns by name: write a position of the list, such as 0"
        raise InvalidInput(f"the segment '{one.text}' is by '{one.column}', and {endpoint} has no such column", hint)


def declared_number(declared: Sequence[SegmentColumn]) -> int:
    """Return the number of segments that may come; a column without bins may have ``MOST_SEGMENTS`` values."""
    return min(sum(len(one.bins) or MOST_SEGMENTS for one in declared), MOST_SEGMENTS)


def mean_evidence(e_values: Sequence[float], of: int | None = None) -> float:
    """Return the e-value of "one of the hypotheses is wrong": the mean, whatever the dependence between them.

    V. Vovk and R. Wang (2021), E-values: calibration, combination and applications, Annals of Statistics 49, 1736-1754.

    Parameters
    ----------
    of
        The number of the hypotheses, if some have no data yet. Their e-value is 1; here they count 0, so the mean is
        no larger. A mean of those with data alone would begin anew, and be wrong more often, with each that joins.
    """
    number = max(of or 0, len(e_values))
    return sum(e_values) / number if number else 0.0


def named(e_values: Sequence[float]) -> set[int]:
    """Return the positions that e-BH names, with an expected share of 10 % false names (``e_values.refuted``)."""
    return set(refuted(e_values))


def e_value_of(log_evidence: float) -> float:
    """Return the e-value of a log wealth."""
    return exp(min(log_evidence, _LARGEST_LOG))


def in_words(count: int, *, declared: bool, level: float = LEVEL) -> str:
    """Return the multiplicity of so many segments in a sentence or two."""
    if not count:
        return "No request that counts has a value for a segment yet"
    intervals = (
        f"Each of the {count} intervals holds alone, at all looks, with {level * 100:.3g} %: of {count}, about "
        f"{(1 - level) * count:.2g} may miss"
    )
    if not declared:
        return f"{intervals}. The segments were chosen for this look, perhaps by its data, so none is named"
    return f"{intervals}. Of the named segments at most 10 % are expected to be named wrongly (e-BH)"


_EXAMPLE = "write a column, such as 'region', or bins, such as 'age: <30, 30-60, >=60'"


def _bin(name: str, text: str) -> SegmentBin:
    if match := _ONE_SIDED.fullmatch(name):
        bound = float(match[2])
        if match[1].startswith("<"):
            return SegmentBin(name, high=bound, high_included=match[1] == "<=")
        return SegmentBin(name, low=bound, low_included=match[1] == ">=", high_included=True)
    if match := _RANGE.fullmatch(name):
        low, high = float(match[1]), float(match[2])
        if low >= high:
            raise InvalidInput(f"the bin '{name}' of the segment '{text}' is empty", "write the lower bound first")
        return SegmentBin(name, low=low, high=high)
    if name[0] in "<>":
        raise InvalidInput(f"the bin '{name}' of the segment '{text}' has no number", _EXAMPLE)
    return SegmentBin(name, value=name)


def check_conditions(given: Any) -> Any:
    """Check one condition or several, columns with bins such as ``age: >=60``; they stay texts.

    Raises
    ------
    InvalidInput
        See ``parse_segments``; or a column has no bins.
    """
    texts = [given] if isinstance(given, str) else [str(text) for text in given or ()]
    for one in parse_segments(texts):
        if not one.bins:
            raise InvalidInput(
                f"'{one.text}' names a column and no values",
                f"write the values after a colon, such as '{one.column}: >=60' or '{one.column}: north, south'",
            )
    return texts


def check_segments(given: Any) -> Any:
    """Check one text or several; they stay texts, and ``none`` alone stays.

    Raises
    ------
    InvalidInput
        See ``parse_segments``.
    """
    texts = [given] if isinstance(given, str) else list(given or ())
    none: Literal["none"] = "none"
    if none in texts:
        if len(texts) > 1:
            raise InvalidInput("--segment none excludes all other segments", "name no segment with it")
        return texts
    return [one.text for one in parse_segments([str(text) for text in texts])]
