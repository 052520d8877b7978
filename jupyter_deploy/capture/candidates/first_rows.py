"""The first rows of an example as texts for people."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

from jupyter_deploy.capture.examples import container_of, detached
from jupyter_deploy.domain.capture.candidates import Table
from jupyter_deploy.domain.errors import InvalidExample

ROWS, COLUMNS, CHARACTERS = 5, 20, 80

_short = reprlib.Repr()
_short.maxstring = _short.maxother = CHARACTERS


def first_rows(value: Any) -> Table:
    """Return at most five rows and twenty columns, and the problem if the value is no valid example."""
    table = _table(value)
    try:
        container_of(detached(value), estimator=isinstance(value, list))
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
    if (fields := _fields_of(value)) is not None:
        return _shown(list(fields), [list(fields.values())], f"one {type(value).__name__}")
    if type(value) is dict:
        return _shown([str(name) for name in value], [list(value.values())], "one call's arguments by name")
    if type(value) is list:
        return _of_list(value)
    if type(value) is tuple:
        return _shown([str(position) for position in range(len(value))], [list(value)], "one call's arguments in order")
    return _shown(["value"], [] if value is None else [[value]], "nothing" if value is None else "one value")


def _of_frame(frame: Any, words: str) -> Table:
    first = frame.iloc[:ROWS, :COLUMNS] if hasattr(frame, "iloc") else frame[:ROWS, :COLUMNS]
    names = [str(name) for name in first.columns]
    columns = [
        (first.iloc[:, position] if hasattr(first, "iloc") else first[:, position]).to_list()
        for position in range(len(names))
    ]
    return _shown(names, list(zip(*columns, strict=True)), words)


def _of_array(value: Any) -> Table:
    first = value[:ROWS]
    first = first.detach().cpu() if hasattr(first, "detach") else first
    if first.ndim == 1:
        return _shown(["value"], [[cell] for cell in first.tolist()], _sized(len(value)))
    if first.ndim == 2:
        names = [str(position) for position in range(min(value.shape[1], COLUMNS))]
        return _shown(names, first[:, :COLUMNS].tolist(), _sized(*value.shape))
    shape = " × ".join(map(str, value.shape[1:]))
    return _shown(["row"], [[f"{shape} of {value.dtype}"] for _ in first], f"{_sized(len(value))} of {shape}")


def _of_list(value: list[Any]) -> Table:
    first = value[:ROWS]
    words = _sized(len(value))
    records = [_fields_of(row) for row in first]
    if first and all(record is not None for record in records):
        words = f"{words} of {type(first[0]).__name__}"
        first = [record or {} for record in records]
    if first and all(type(row) is dict for row in first):
        names = list(dict.fromkeys(name for row in first for name in row))
        return _shown([str(name) for name in names], [[row.get(name) for name in names] for row in first], words)
    if first and all(type(row) in (list, tuple) and len(row) == len(first[0]) for row in first):
        return _shown([str(position) for position in range(len(first[0]))], first, words)
    return _shown(["value"], [[row] for row in first], words)


def _fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a pydantic model or a data class; None: it is neither. No code of its class runs."""
    kind = type(value)
    names = vars(kind).get("__dataclass_fields__") or vars(kind).get("__pydantic_fields__")
    stored = getattr(value, "__dict__", None)
    if not isinstance(names, dict) or not isinstance(stored, dict):
        return None
    return {name: stored[name] for name in names if name in stored}


def _shown(columns: Sequence[str], rows: Sequence[Sequence[Any]], words: str) -> Table:
    return Table(
        columns=tuple(_cut(name) for name in columns[:COLUMNS]),
        rows=tuple(tuple(_text(cell) for cell in row[:COLUMNS]) for row in rows[:ROWS]),
        words=words,
    )


def _sized(rows: int, columns: int | None = None) -> str:
    text = f"{rows:,} row{'s' * (rows != 1)}"
    return text if columns is None else f"{text}, {columns:,} column{'s' * (columns != 1)}"


def _text(cell: Any) -> str:
    """Shorten a value; a value of another class is described by type and size, since its text may be long."""
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
