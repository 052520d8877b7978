"""The kinds of a table's columns: numbers, categories, dates, and those that no model gets or can take."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import SearchNote

MOST_CATEGORIES = 1_000
"""Different texts of a column; of more, each one has too few rows to learn from."""

_NAMED = 8


@dataclass
class Columns:
    """The columns of the models, by kind, in the order of the table.

    Attributes
    ----------
    parsed
        Columns of dates that are texts, or dates without a time, in the file.
    """

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    parsed: list[str] = field(default_factory=list)
    notes: list[SearchNote] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        return [*self.numbers, *self.categories, *self.dates]


def columns_of(table: Any, without: Collection[str]) -> Columns:
    """Sort the columns by kind.

    Parameters
    ----------
    without
        Columns that no model gets: the label, the group, excluded ones.

    Raises
    ------
    InvalidInput
        Columns cannot be used, with the reason of each, or none is left.
    """
    found, unusable, dropped = Columns(), dict[str, str](), dict[str, str]()
    for name in table.columns:
        if name in without:
            continue
        kind, why = kind_of(table[name])
        if kind == "unusable":
            unusable[name] = why
        elif kind == "dropped":
            dropped[name] = why
        else:
            getattr(found, kind).append(name)
            if kind == "dates" and table[name].dtype.kind != "M":
                found.parsed.append(name)
    if unusable:
        options = " ".join(f"--exclude {name!r}" if " " in name else f"--exclude {name}" for name in unusable)
        details = "\n".join(f"  {name}: {why}" for name, why in unusable.items())
        first = next(iter(unusable))
        more = f", nor can {len(unusable) - 1} more" if len(unusable) > 1 else ""
        raise InvalidInput(
            f"the column '{first}' cannot be used: {unusable[first]}{more}",
            f"turn them into numbers, categories or dates, or leave them out: {options}",
            details,
        )
    for why in dict.fromkeys(dropped.values()):
        names = [name for name, one in dropped.items() if one == why]
        found.notes.append(SearchNote(severity="note", message=f"no model gets {listed(names, _NAMED)}: {why}"))
    if not found.features:
        raise InvalidInput("no column is left that a model could learn from", "add columns, or exclude fewer")
    return found


def kind_of(column: Any) -> tuple[str, str]:
    """Return ``numbers``, ``categories``, ``dates``, ``dropped`` or ``unusable``, and the reason of the last two."""
    import pandas as pd

    present = column.dropna()
    if not len(present):
        return "dropped", "it has no values"
    kind = column.dtype
    if isinstance(kind, pd.DatetimeTZDtype) or kind.kind == "M":
        return _unless_constant(present, "dates")
    if isinstance(kind, pd.CategoricalDtype):
        return _of_texts(present.astype(object), len(column), can_be_dates=False)
    if kind.kind in "mc" or isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
        return "unusable", f"its type is {kind}"
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        return _of_numbers(str(column.name), present, len(column))
    return _of_objects(column, present)


def _of_objects(column: Any, present: Any) -> tuple[str, str]:
    """Return the kind of texts, truth values and Python's objects."""
    kinds = {type(value) for value in present}
    if kinds <= {str}:
        return _of_texts(present, len(column), can_be_dates=True)
    if kinds <= {bool, np.bool_}:
        return _unless_constant(present, "categories")
    if kinds <= {int, float, Decimal, bool}:
        return _of_numbers(str(column.name), present.astype(float), len(column))
    if all(issubclass(kind, date) for kind in kinds):
        return _unless_constant(present, "dates")
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    return "unusable", f"it holds values of the type{'s' * (len(kinds) > 1)} {names}"


def _unless_constant(present: Any, kind: str) -> tuple[str, str]:
    several = present.nunique() > 1  # noqa: PD101 - objects have no other way
    return (kind, "") if several else ("dropped", "it has one value alone")


def _of_numbers(name: str, present: Any, rows: int) -> tuple[str, str]:
    values = present.to_numpy(dtype=float)
    if np.isinf(values).any():
        return "unusable", "it has infinite numbers"
    different = present.nunique()
    words = name.lower().replace("-", "_").split("_")
    if different == rows and "id" in words and bool(np.all(values == np.floor(values))):
        return "dropped", "it identifies a row"
    return _unless_constant(present, "numbers")


def _of_texts(present: Any, rows: int, *, can_be_dates: bool) -> tuple[str, str]:
    different = present.nunique()
    if can_be_dates and _are_dates(present):
        return _unless_constant(present, "dates")
    if different == rows and not present.astype(str).str.contains(" ").any():
        return "dropped", "it identifies a row"
    if different > MOST_CATEGORIES or (different > rows / 2 and different > _NAMED):
        return "unusable", f"it has {different:,} different texts in {rows:,} rows, too many for categories"
    return _unless_constant(present, "categories")


def _are_dates(present: Any) -> bool:
    """Whether texts are dates of ISO 8601, such as 2026-11-25 or 2026-11-25T12:00."""
    import pandas as pd

    if not present.head(20).str.match(r"\d{4}-\d{2}-\d{2}").all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(present, format="ISO8601", errors="coerce").notna().all())
