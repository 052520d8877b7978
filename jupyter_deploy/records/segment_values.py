"""SQL for the segment of a row, by a declaration and the row's recorded input."""

from __future__ import annotations

from math import inf

from jupyter_deploy.domain.evidence.segments import SegmentBin, SegmentColumn

from .records import quoted

_LONGEST = 100
"""Characters of a value that names a segment."""


def segment_value(one: SegmentColumn) -> str:
    """Return SQL for the name of the segment of ``input``; NULL: it is in none."""
    # A JSON pointer names a key of an object and a position of a list alike.
    pointer = quoted("/" + one.column.replace("~", "~0").replace("/", "~1"))
    text = f"left(json_extract_string(input, {pointer}), {_LONGEST})"
    if not one.bins:
        return text
    number = f"TRY_CAST({text} AS DOUBLE)"
    cases = " ".join(f"WHEN {_holds(bin_, text, number)} THEN {quoted(bin_.name)}" for bin_ in one.bins)
    return f"CASE {cases} END"


def _holds(bin_: SegmentBin, text: str, number: str) -> str:
    if bin_.value is not None:
        return f"{text} = {quoted(bin_.value)}"
    bounds = [f"isfinite({number})"]
    if bin_.low > -inf:
        bounds.append(f"{number} {'>=' if bin_.low_included else '>'} {bin_.low!r}")
    if bin_.high < inf:
        bounds.append(f"{number} {'<=' if bin_.high_included else '<'} {bin_.high!r}")
    return " AND ".join(bounds)
