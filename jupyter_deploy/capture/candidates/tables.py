"""The notebook's variables that may be examples for a model."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from jupyter_deploy.capture.informative_rows import varied_rows
from jupyter_deploy.capture.static_attributes import bases_of, module_of, of_library

FIRST = 5
"""The number of rows of an example, where the first ones are enough."""

Form = Literal["frame", "array", "tensor", "texts", "numbers", "rows"]

_KINDS: Mapping[str, Form] = {
    "pandas.DataFrame": "frame",
    "polars.DataFrame": "frame",
    "pandas.Series": "numbers",
    "polars.Series": "numbers",
    "numpy.ndarray": "array",
    "torch.Tensor": "tensor",
}

_TEST = re.compile(r"(?:^|_)(?:test|holdout|held_out|heldout|unseen|oot|eval)(?:_|\d|$)")
_CHECKED = re.compile(r"(?:^|_)(?:val|valid|validation|dev)(?:_|\d|$)")
_TRAIN = re.compile(r"(?:^|_)(?:train|training|fit|trn)(?:_|\d|$)")
_ROWS = re.compile(r"(?:^|_)(?:x|xs|features|inputs?|data|df|rows|images?|texts?|docs?|samples?)(?:_|\d|$)")
_TARGETS = re.compile(
    r"(?:^|_)(?:y|ys|labels?|targets?|truth|preds?|predictions?|predicted|probas?|scores?|weights?|loss(?:es)?|idx|index)"
    r"(?:_|\d|$)"
)


@dataclass(frozen=True)
class TableVariable:
    """A variable of rows. ``columns`` is None without column names; ``width`` is 1 for a single column."""

    variable: str
    value: Any
    form: Form
    rows: int
    width: int
    columns: tuple[str, ...] | None = None
    ndim: int = 2
    library: str = ""

    @cached_property
    def varied(self) -> tuple[int, ...]:
        """The rows that show a frame's missing values, categories and extremes; empty: its first rows do."""
        return varied_rows(self.value, FIRST) if self.form == "frame" else ()

    def rows_as(self, frame: str) -> str:
        """Return an expression for the rows of a frame's expression that show its variety."""
        return f"{frame}.iloc[{list(self.varied)}]" if self.library == "pandas" else f"{frame}[{list(self.varied)}]"

    @property
    def sliced(self) -> str:
        """An expression for the first rows."""
        return f"{self.variable}{self.first_rows}"

    @property
    def first_rows(self) -> str:
        """The end of an expression for the first rows."""
        index = getattr(self.value, "index", None) if self.library == "pandas" else None
        by_label = getattr(getattr(index, "dtype", None), "kind", "") == "f"  # pandas takes 5 for a label
        return f".head({FIRST})" if by_label else f"[:{FIRST}]"

    @property
    def words(self) -> str:
        """The size in words."""
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        if self.form in ("texts", "numbers", "rows"):
            return f"{self.rows:,} texts" if self.form == "texts" else rows
        columns = f"{self.width:,} column{'s' * (self.width != 1)}"
        return f"{rows}, {columns}" if self.ndim == 2 else f"{rows} of {' × '.join(map(str, self.value.shape[1:]))}"


def name_score(name: str, fitted_on: str | None, predicted: str | None = None) -> float:
    """Score a variable's name as an example: rows outside the training data come first, then the predicted ones."""
    lower = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    score = 3.0 if _TEST.search(lower) else 2.5 if _CHECKED.search(lower) else 0.0 if _TRAIN.search(lower) else 1.0
    score += 0.3 * bool(_ROWS.search(lower)) - 2.0 * bool(_TARGETS.search(lower))
    return score - 0.6 * (name == fitted_on) + 0.8 * (name == predicted)


def tables(namespace: Mapping[str, Any]) -> list[TableVariable]:
    """Return all non-empty tables."""
    result: list[TableVariable] = []
    for name, value in namespace.items():
        if not name.startswith("_"):
            with contextlib.suppress(Exception):  # a table may be in any state
                result += _table(name, value)
    return result


def _table(name: str, value: Any) -> Iterator[TableVariable]:
    kind = type(value)
    if kind is list:
        yield from _of_list(name, value)
        return
    if module_of(kind).partition(".")[0] not in ("pandas", "polars", "numpy", "torch", "geopandas"):
        return
    called = next((known for known in map(_named, bases_of(kind)) if known in _KINDS), None)
    if called is None or not of_library(kind):
        return
    form, shape, library = _KINDS[called], tuple(value.shape), called.partition(".")[0]
    if not shape or not shape[0]:
        return
    if form == "frame":
        columns = tuple(map(str, value.columns))
        yield TableVariable(name, value, form, shape[0], len(columns), columns, library=library)
    elif len(shape) == 1:
        yield TableVariable(
            name, value, "texts" if _is_text(value) else "numbers", shape[0], 1, ndim=1, library=library
        )
    else:
        yield TableVariable(name, value, form, shape[0], shape[-1], ndim=len(shape), library=library)


def _named(base: type) -> str:
    return f"{module_of(base).partition('.')[0]}.{base.__name__}"


def _of_list(name: str, value: list[Any]) -> Iterator[TableVariable]:
    if not value:
        return
    first = value[:20]
    if all(type(item) is str for item in first):
        yield TableVariable(name, value, "texts", len(value), 1, ndim=1)
    elif all(type(item) in (int, float) for item in first):
        yield TableVariable(name, value, "numbers", len(value), 1, ndim=1)
    elif all(type(item) in (list, tuple) and len(item) == len(first[0]) for item in first):
        yield TableVariable(name, value, "rows", len(value), len(first[0]))
    elif all(type(item) is dict for item in first):
        yield TableVariable(name, value, "rows", len(value), len(first[0]), tuple(map(str, first[0])))


def _is_text(column: Any) -> bool:
    """Whether the first value of a column without names is a text."""
    first = column.iloc[0] if hasattr(column, "iloc") else column[0]
    return type(first).__name__ in ("str", "str_")
