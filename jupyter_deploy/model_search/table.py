"""The reading of a table, with errors that say what to do."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput

READERS = {".parquet": "read_parquet", ".pq": "read_parquet", ".csv": "read_csv"}
"""pandas' function by the end of the name."""

LEAST_ROWS = 50

_INDEX = re.compile(r"__index_level_\d+__")
"""The name of a column in which Parquet keeps an index of pandas."""

_LIBRARIES = ("flaml", "lightgbm", "pandas", "pyarrow", "sklearn")
_INSTALL = "pip install 'nbdeploy[automl]'"


def require_libraries() -> None:
    """Raise InvalidInput if a library of the extra ``automl`` is missing."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise InvalidInput(f"a search for models needs {', '.join(missing)}, which is not installed", _INSTALL)


def reader_of(path: Path) -> str:
    """Return the name of pandas' function that reads a file. Raises InvalidInput: its name has another end."""
    try:
        return READERS[path.suffix.lower()]
    except KeyError:
        raise InvalidInput(
            f"{path.name} is no table that can be read", f"give a file whose name ends in {', '.join(READERS)}"
        ) from None


def columns_in(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns, by the head of its file; an index of pandas is none.

    Raises
    ------
    InvalidInput
        There is no such file, or it cannot be read.
    """
    reader = _existing(path)
    with _readable(path):
        if reader == "read_csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                return tuple(next(csv.reader(file), ()))
        import pyarrow.parquet as pq

        return tuple(name for name in pq.read_schema(path).names if not _INDEX.fullmatch(name))


def _existing(path: Path) -> str:
    """Return the name of pandas' function for a file that exists."""
    reader = reader_of(path)
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}", "name a Parquet or CSV file")
    return reader


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Within, each error is about the file."""
    try:
        yield
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInput(
            f"{path.name} cannot be read: {why}", "is it complete, and of the kind that its name says?"
        ) from error


def read_table(path: Path) -> Any:
    """Read a table.

    Raises
    ------
    InvalidInput
        There is no such file, it cannot be read, it has fewer than ``LEAST_ROWS`` rows, or column names that are no
        texts or occur twice.
    """
    reader = _existing(path)
    import pandas as pd

    with _readable(path):
        table = getattr(pd, reader)(path)
    if odd := [name for name in table.columns if not isinstance(name, str) or not name.strip()]:
        raise InvalidInput(f"{path.name} has a column without a name: {odd[0]!r}", "give each column a name")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise InvalidInput(f"{path.name} has two columns '{twice}'", "give each column another name")
    if len(table) < LEAST_ROWS:
        raise InvalidInput(f"{path.name} has {len(table)} rows, and a search needs at least {LEAST_ROWS}", "add rows")
    return table
