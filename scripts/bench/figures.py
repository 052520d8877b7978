"""What a benchmark says: figures with their aims, and how they look in the documentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. ``most``, ``least``: its aim, what it should not exceed or be below (None: printed only)."""

    subject: str
    name: str
    value: float
    unit: str = ""
    most: float | None = None
    note: str = ""
    least: float | None = None

    @property
    def verdict(self) -> str:
        if not self.aim:
            return ""
        low, high = self.least or -math.inf, math.inf if self.most is None else self.most
        return "reached" if low <= self.value <= high else "**not reached**"

    @property
    def shown(self) -> str:
        return f"{_rounded(self.value)} {self.unit}".strip()

    @property
    def aim(self) -> str:
        bounds = (("≤", self.most), ("≥", self.least))
        return ", ".join(f"{sign} {_rounded(one)} {self.unit}".strip() for sign, one in bounds if one is not None)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)


HEAD = ("| what | measured | aim | | on | |", "|---|---|---|---|---|---|")


def table(figures: Sequence[Figure], day: str, former: str = "") -> str:
    """A Markdown table.

    Parameters
    ----------
    day
        Of the measurement, as ``2026-12-01``.
    former
        A table whose rows stay where nothing was measured anew; a new figure comes after the last one of its subject.
    """
    rows = {_label(line): line for line in former.splitlines() if line.startswith("| ") and line not in HEAD}
    for one in figures:
        label = f"{one.subject}: {one.name}"
        row = f"| {label} | {one.shown} | {one.aim} | {one.verdict} | {day} | {one.note} |"
        last = max((at for at, known in enumerate(rows) if known.startswith(f"{one.subject}: ")), default=len(rows))
        if label in rows:
            rows[label] = row
        else:
            ordered = list(rows.items())
            rows = dict([*ordered[: last + 1], (label, row), *ordered[last + 1 :]])
    return "\n".join([*HEAD, *rows.values()])


def _label(line: str) -> str:
    return line.split(" | ", maxsplit=1)[0].removeprefix("| ")


def _rounded(value: float) -> str:
    if not math.isfinite(value):
        return "none" if math.isnan(value) else "∞"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
