"""The reading of a table, with errors that say what to do."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput

READERS = {".parquet": "read_parquet", ".pq": "read_parquet", ".csv": "read_csv"}
"""pandas' function by the end of the name."""

LEAST_ROWS = 50

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


def read_table(path: Path) -> Any:
    """Read a table.

    Raises
    ------
    InvalidInput
        There is no such file, it cannot be read, it has fewer than ``LEAST_ROWS`` rows, or column names that are no
        texts or occur twice.
    """
    reader = reader_of(path)
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}", "name a Parquet or CSV file")
    import pandas as pd

    try:
        table = getattr(pd, reader)(path)
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInput(
            f"{path.name} cannot be read: {why}", "is it complete, and of the kind that its name says?"
        ) from error
    if odd := [name for name in table.columns if not isinstance(name, str) or not name.strip()]:
        raise InvalidInput(f"{path.name} has a column without a name: {odd[0]!r}", "give each column a name")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise InvalidInput(f"{path.name} has two columns '{twice}'", "give each column another name")
    if len(table) < LEAST_ROWS:
        raise InvalidInput(f"{path.name} has {len(table)} rows, and a search needs at least {LEAST_ROWS}", "add rows")
    return table
