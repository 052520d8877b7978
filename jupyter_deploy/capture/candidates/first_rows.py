"""The first rows of whatever a model is asked with, as texts for people."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

from jupyter_deploy.capture.examples import alone, container_of
from jupyter_deploy.domain.capture.candidates import Table
from jupyter_deploy.domain.errors import InvalidExample

ROWS, COLUMNS, CHARACTERS = 5, 20, 80

_short = reprlib.Repr()
_short.maxstring = _short.maxother = CHARACTERS


def first_rows(value: Any) -> Table:
    """At most five rows and twenty columns; with what is wrong with it as an example."""
    table = _table(value)
    try:
        container_of(alone(value), estimator=isinstance(value, list))
    except InvalidExample as error:
        return table.model_copy(update={"problem": error.message, "remedy": error.remedy})
    return table


def _table(value: Any) -> Table:  # noqa: PLR0911 - one case a kind of value
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "polars.LazyFrame":
        return _of_frame(value.head(ROWS).collect(), "a lazy frame")
    if kind in ("pandas.DataFrame", "polars.DataFrame"):
        return _of_frame(value, _sized(*value.shape))
    if kind in ("pandas.Series", "polars.Series"):
        cells = (value.iloc[:ROWS] if hasattr(value, "iloc") else value[:ROWS]).to_list()
        return _shown([str(value.name or "value")], [[cell] for cell in cells], _sized(len(value)))
    if kind in ("numpy.ndarray", "torch.Tensor") and value.ndim:
        return _of_array(value)
    if type(value) is dict:
        return _shown([str(name) for name in value], [list(value.values())], "one call's arguments by name")
    if type(value) is list:
        return _of_list(value)
    if type(value) is tuple:
        return _shown([str(place) for place in range(len(value))], [list(value)], "one call's arguments in order")
    return _shown(["value"], [] if value is None else [[value]], "nothing" if value is None else "one value")


def _of_frame(frame: Any, words: str) -> Table:
    few = frame.iloc[:ROWS, :COLUMNS] if hasattr(frame, "iloc") else frame[:ROWS, :COLUMNS]
    names = [str(name) for name in few.columns]
    columns = [(few.iloc[:, place] if hasattr(few, "iloc") else few[:, place]).to_list() for place in range(len(names))]
    return _shown(names, list(zip(*columns, strict=True)), words)


def _of_array(value: Any) -> Table:
    few = value[:ROWS]
    few = few.detach().cpu() if hasattr(few, "detach") else few
    if few.ndim == 1:
        return _shown(["value"], [[cell] for cell in few.tolist()], _sized(len(value)))
    if few.ndim == 2:
        names = [str(place) for place in range(min(value.shape[1], COLUMNS))]
        return _shown(names, few[:, :COLUMNS].tolist(), _sized(*value.shape))
    shape = " × ".join(map(str, value.shape[1:]))
    return _shown(["row"], [[f"{shape} of {value.dtype}"] for _ in few], f"{_sized(len(value))} of {shape}")


def _of_list(value: list[Any]) -> Table:
    few = value[:ROWS]
    words = _sized(len(value))
    if few and all(type(one) is dict for one in few):
        names = list(dict.fromkeys(name for one in few for name in one))
        return _shown([str(name) for name in names], [[one.get(name) for name in names] for one in few], words)
    if few and all(type(one) in (list, tuple) and len(one) == len(few[0]) for one in few):
        return _shown([str(place) for place in range(len(few[0]))], few, words)
    return _shown(["value"], [[one] for one in few], words)


def _shown(columns: Sequence[str], rows: Sequence[Sequence[Any]], words: str) -> Table:
    return Table(
        columns=tuple(_cut(name) for name in columns[:COLUMNS]),
        rows=tuple(tuple(_text(cell) for cell in row[:COLUMNS]) for row in rows[:ROWS]),
        words=words,
    )


def _sized(rows: int, columns: int | None = None) -> str:
    said = f"{rows:,} row{'s' * (rows != 1)}"
    return said if columns is None else f"{said}, {columns:,} column{'s' * (columns != 1)}"


def _text(cell: Any) -> str:
    """A value in short; what is no plain value is told by its type and size, since its own words may be any."""
    if isinstance(cell, str):
        return _cut(cell)
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, dict | list | tuple | set | int):
        return _cut(_short.repr(cell))
    kind, module = type(cell).__name__, type(cell).__module__.partition(".")[0]
    shape = getattr(cell, "shape", None) if module in ("numpy", "torch", "PIL") else None
    if shape:
        return f"{kind} {' × '.join(map(str, shape))}"
    if cell is None or module in ("builtins", "numpy", "pandas", "polars", "datetime", "decimal", "uuid", "torch"):
        return f"{len(cell):,} bytes" if isinstance(cell, bytes) else _cut(str(cell))
    return kind


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"
