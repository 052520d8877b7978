"""Feedback from users' files and objects: CSV, JSON lines, JSON, Parquet, data frames."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.ground_truth import Actual
from jupyter_deploy.serving.asgi import body
from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.telemetry.feedback import faults
from jupyter_deploy.serving.values.codec import to_json

from .records import listed

_MOST_ERRORS = 10

_SUFFIXES = ".csv, .jsonl, .ndjson, .json or .parquet"

_REMEDY = (
    "each item needs request_id (the x-request-id of the answer), row (from 0; default 0) and actual, and nothing "
    "else; leave out rows without an actual value"
)

_PYTHON_LITERALS = {"True": True, "False": False}

_Item = tuple[str, Any]
"""A location such as ``line 7``, and the item there."""


def read(data: Any, *, texts: bool) -> list[Actual]:
    """Read the actual values, in their order.

    Parameters
    ----------
    data
        A path (optionally with a leading ``@``), a JSON text that begins with ``[`` or ``{``, a dict, a list of dicts,
        or a data frame.
    texts
        Values of a CSV file are texts. Otherwise ``1``, ``0.5``, ``true`` and ``[1, 2]`` are parsed as JSON, and only
        other values are texts.

    Raises
    ------
    InvalidInput
        The file cannot be read, or has wrong lines; the message names each by its number.
    """
    return _validate(_items(data, texts=texts))


def _items(data: Any, *, texts: bool) -> Iterator[_Item]:
    if isinstance(data, Path):
        return _file_items(data, texts=texts)
    if isinstance(data, str):
        text = data.strip()
        if text.startswith(("[", "{")):
            return _document_items(_parse(text, "the data"))
        return _file_items(Path(text.removeprefix("@")).expanduser(), texts=texts)
    if hasattr(data, "to_dicts") or (hasattr(data, "to_dict") and hasattr(data, "columns")):  # polars, pandas
        rows = data.to_dicts() if hasattr(data, "to_dicts") else data.to_dict("records")
        return ((f"row {number}", _row_item(row)) for number, row in enumerate(rows))
    return _document_items(data)


def _file_items(path: Path, *, texts: bool) -> Iterator[_Item]:
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(
            f"the type of {path} is not supported for feedback", f"give a file of {_SUFFIXES}, or JSON itself"
        )
    try:
        items = list(reader(path))
    except (OSError, UnicodeDecodeError, csv.Error, duckdb.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"cannot read {path}: {why}", f"give a readable file of {_SUFFIXES}") from error
    if reader is _csv and not texts:
        items = [
            (where, {**item, "actual": _csv_value(item["actual"])} if "actual" in item else item)
            for where, item in items
        ]
    return iter(items)


def _csv(path: Path) -> Iterator[_Item]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restkey="more cells than columns", strict=True)
        missing = [key for key in ("request_id", "actual") if key not in (reader.fieldnames or [])]
        if missing:
            columns = ", ".join(reader.fieldnames or []) or "none"
            raise InvalidInput(f"{path} has no column {' and no column '.join(missing)} (it has: {columns})", _REMEDY)
        for line in reader:
            item: dict[str, Any] = {key: value for key, value in line.items() if value not in ("", None)}
            if item.get("row", "").strip().isdecimal():
                item["row"] = int(item["row"])
            yield f"line {reader.line_num}", item


def _json_lines(path: Path) -> Iterator[_Item]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                where = f"line {number}"
                yield where, _parse(line, f"{where} of {path}")


def _json(path: Path) -> Iterator[_Item]:
    return _document_items(_parse(path.read_bytes(), str(path)))


def _parquet(path: Path) -> Iterator[_Item]:
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute("SET enable_progress_bar = false")  # it would corrupt the document on stdout
        table = connection.execute(f"SELECT * FROM read_parquet({listed([path])})")
        names = [column[0] for column in table.description]
        for number, values in enumerate(table.fetchall(), 1):
            yield f"row {number}", _row_item(dict(zip(names, values, strict=True)))


def _document_items(document: Any) -> Iterator[_Item]:
    if isinstance(document, Mapping):
        document = document["feedback"] if set(document) == {"feedback"} else [document]
    if isinstance(document, str | bytes) or not isinstance(document, Iterable):
        raise InvalidInput(
            f"feedback cannot be of type {type(document).__name__}", "give a file, or a list of objects; " + _REMEDY
        )
    for number, item in enumerate(document, 1):
        yield f"item {number}", item


def _parse(text: str | bytes, what: str) -> Any:
    """Parse JSON as strictly as the service does, before anything is sent."""
    try:
        return body.parse(text.encode("utf-8") if isinstance(text, str) else text)
    except Problem as problem:
        raise InvalidInput(f"{what}: {problem.detail}", "write strict JSON in UTF-8; " + _REMEDY) from problem


def _row_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's row without its missing cells; a missing cell turns a column of integers into floats."""
    item = {name: value for name, value in to_json(dict(row)).items() if value is not None}
    if isinstance(item.get("row"), float) and item["row"].is_integer():
        item["row"] = int(item["row"])
    return item


def _csv_value(text: str) -> Any:
    """Parse a cell of a CSV file of a model whose answers are not texts."""
    if text in _PYTHON_LITERALS:
        return _PYTHON_LITERALS[text]
    try:
        return json.loads(text, parse_constant=lambda _: text)
    except ValueError:
        return text


def _validate(lines: Iterable[_Item]) -> list[Actual]:
    actuals, errors, count = [], list[str](), 0
    for where, item in lines:
        plain = to_json(item)
        message = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in faults(plain, []))
        if not message:
            actuals.append(Actual(request_id=plain["request_id"], row=plain.get("row", 0), actual=plain["actual"]))
        else:
            count += 1
            if len(errors) < _MOST_ERRORS:
                errors.append(f"  {where}: {message}")
    if errors:
        more = [f"  … and {count - len(errors)} more"] if count > len(errors) else []
        summary = f"{count} of {count + len(actuals)} lines are not valid feedback; nothing was sent"
        raise InvalidInput(summary, _REMEDY, "\n".join([*errors, *more]))
    return actuals
