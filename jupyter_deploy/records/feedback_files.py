"""What was really so, as people have it: CSV, JSON lines, JSON, Parquet, or objects of Python."""

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

_FORMS = ".csv, .jsonl, .ndjson, .json or .parquet"

_REMEDY = (
    "each needs request_id (the x-request-id of the answer), row (from 0; default 0) and actual, and nothing else; "
    "leave out rows of which it is not known"
)

_PYTHONS = {"True": True, "False": False}

Line = tuple[str, Any]
"""Where something stands, such as ``line 7``, and what."""


def read(data: Any, *, texts: bool) -> list[Actual]:
    """What is told, in its order.

    Parameters
    ----------
    data
        A path (an ``@`` may stand before it), a JSON text that begins with ``[`` or ``{``, a dict, a list of dicts, or
        a data frame.
    texts
        What stands in a CSV file is a text. Else ``1``, ``0.5``, ``true`` and ``[1, 2]`` are what JSON says, and only
        what is no JSON is a text.

    Raises
    ------
    InvalidInput
        The file cannot be read, or a line of it is wrong; each is named by its number.
    """
    return _checked(_lines(data, texts=texts))


def _lines(data: Any, *, texts: bool) -> Iterator[Line]:
    if isinstance(data, Path):
        return _of_file(data, texts=texts)
    if isinstance(data, str):
        text = data.strip()
        if text.startswith(("[", "{")):
            return _of_document(_parsed(text, "the data"))
        return _of_file(Path(text.removeprefix("@")).expanduser(), texts=texts)
    if hasattr(data, "to_dicts") or (hasattr(data, "to_dict") and hasattr(data, "columns")):  # polars, pandas
        rows = data.to_dicts() if hasattr(data, "to_dicts") else data.to_dict("records")
        return ((f"row {number}", _known(row)) for number, row in enumerate(rows))
    return _of_document(data)


def _of_file(path: Path, *, texts: bool) -> Iterator[Line]:
    kinds = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json, ".parquet": _parquet}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise InvalidInput(f"{path} is of no kind that can be read as feedback", f"write {_FORMS}, or JSON itself")
    try:
        found = list(kind(path))
    except (OSError, UnicodeDecodeError, csv.Error, duckdb.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"cannot read {path}: {why}", f"name a readable file of {_FORMS}") from error
    if kind is _csv and not texts:
        found = [
            (where, {**item, "actual": _told(item["actual"])} if "actual" in item else item) for where, item in found
        ]
    return iter(found)


def _csv(path: Path) -> Iterator[Line]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restkey="more cells than columns", strict=True)
        missing = [key for key in ("request_id", "actual") if key not in (reader.fieldnames or [])]
        if missing:
            there = ", ".join(reader.fieldnames or []) or "none"
            raise InvalidInput(f"{path} has no column {' and no column '.join(missing)} (it has: {there})", _REMEDY)
        for line in reader:
            item: dict[str, Any] = {key: value for key, value in line.items() if value not in ("", None)}
            if item.get("row", "").strip().isdecimal():
                item["row"] = int(item["row"])
            yield f"line {reader.line_num}", item


def _json_lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                where = f"line {number}"
                yield where, _parsed(line, f"{where} of {path}")


def _json(path: Path) -> Iterator[Line]:
    return _of_document(_parsed(path.read_bytes(), str(path)))


def _parquet(path: Path) -> Iterator[Line]:
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute("SET enable_progress_bar = false")  # it would stand in the document on stdout
        found = connection.execute(f"SELECT * FROM read_parquet({listed([path])})")  # noqa: S608 - quoted
        names = [column[0] for column in found.description]
        for number, values in enumerate(found.fetchall(), 1):
            yield f"row {number}", _known(dict(zip(names, values, strict=True)))


def _of_document(document: Any) -> Iterator[Line]:
    if isinstance(document, Mapping):
        document = document["feedback"] if set(document) == {"feedback"} else [document]
    if isinstance(document, str | bytes) or not isinstance(document, Iterable):
        raise InvalidInput(f"feedback is no {type(document).__name__}", "give a file, or a list of objects; " + _REMEDY)
    for number, item in enumerate(document, 1):
        yield f"item {number}", item


def _parsed(text: str | bytes, what: str) -> Any:
    """JSON as the service reads it: what it would refuse is refused here, before anything is sent."""
    try:
        return body.parse(text.encode("utf-8") if isinstance(text, str) else text)
    except Problem as problem:
        raise InvalidInput(f"{what}: {problem.detail}", "write strict JSON in UTF-8; " + _REMEDY) from problem


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """A table's row without its missing cells; a column of numbers with one missing holds no whole numbers any more."""
    item = {name: value for name, value in to_json(dict(row)).items() if value is not None}
    if isinstance(item.get("row"), float) and item["row"].is_integer():
        item["row"] = int(item["row"])
    return item


def _told(text: str) -> Any:
    """What a cell of a CSV file says where answers are no texts."""
    if text in _PYTHONS:
        return _PYTHONS[text]
    try:
        return json.loads(text, parse_constant=lambda _: text)
    except ValueError:
        return text


def _checked(lines: Iterable[Line]) -> list[Actual]:
    found, wrong, count = [], list[str](), 0
    for where, item in lines:
        plain = to_json(item)
        said = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in faults(plain, []))
        if not said:
            found.append(Actual(request_id=plain["request_id"], row=plain.get("row", 0), actual=plain["actual"]))
        else:
            count += 1
            if len(wrong) < _MOST_ERRORS:
                wrong.append(f"  {where}: {said}")
    if wrong:
        more = [f"  … and {count - len(wrong)} more"] if count > len(wrong) else []
        words = f"{count} of {count + len(found)} lines are no feedback; nothing was sent"
        raise InvalidInput(words, _REMEDY, "\n".join([*wrong, *more]))
    return found
