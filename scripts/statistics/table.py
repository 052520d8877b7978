"""Rows of nominal against observed values, and their table in a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    scenario
        The simulated traffic or data.
    figure
        The measured quantity, such as the share of streams in which the true value is ever excluded.
    nominal, observed
        The promised and the measured value, with their units.
    remark
        The warning that the product shows if the observed value exceeds the nominal one; empty otherwise.
    """

    scenario: str
    figure: str
    nominal: str
    observed: str
    remark: str = ""


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| scenario | figure | nominal | observed | remark |", "|---|---|---|---|---|"]
    lines += [f"| {r.scenario} | {r.figure} | {r.nominal} | {r.observed} | {r.remark} |" for r in rows]
    return "\n".join(lines)


def replace_table(page: str, topic: str, table: str) -> str:
    """Return the page with a new table between the markers ``<!-- topic -->`` and ``<!-- /topic -->``.

    Raises
    ------
    ValueError
        The page does not have the two markers.
    """
    begin, end = f"<!-- {topic} -->", f"<!-- /{topic} -->"
    changed, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page must have {begin} and {end} once")
    return changed
