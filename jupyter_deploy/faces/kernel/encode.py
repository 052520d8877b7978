"""A notebook's values as the instances of a request, and answers as the values that the notebook's model gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.serving.values.json_values import to_json

Signature = Mapping[str, Any]
"""As ``/metadata`` has it: container, parameters, instance_schema, answer_dtype."""


def instances_of(X: Any, signature: Signature) -> tuple[list[Any], bool]:  # noqa: N803 - as everywhere
    """The instances, and whether it is one call's, whose answer alone is wanted.

    Raises
    ------
    InvalidInput
        It cannot be sent, or has another number of columns.
    """
    try:
        if signature["container"] == "call":
            return _calls(X, signature)
        return _rows(X, signature), False
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"this cannot be sent as JSON: {error}", "give what the notebook's model takes: a table, an array, a list"
        ) from error


def call_of(arguments: Sequence[Any], named: Mapping[str, Any], signature: Signature) -> Any:
    """One call's arguments as its instance.

    Raises
    ------
    InvalidInput
        There are more than the function has parameters, or one stands twice.
    """
    names = list(signature["parameters"])
    if len(arguments) > len(names) or set(names[: len(arguments)]) & named.keys():
        raise InvalidInput(f"the function takes {', '.join(names)}, each once", "call it as the notebook calls its own")
    given = dict(zip(names, arguments, strict=False)) | dict(named)
    if len(names) == 1 and list(given) == names:
        return to_json(given[names[0]])
    return to_json(given)


def _rows(X: Any, signature: Signature) -> list[Any]:  # noqa: N803
    if isinstance(X, Mapping | str):
        return [to_json(X)]  # one row, one text
    if hasattr(X, "collect") and hasattr(X, "collect_schema"):
        X = X.collect()  # noqa: N806
    of_frame = signature["container"] == "frame"
    if hasattr(X, "columns") and not of_frame:
        X = X.to_numpy()  # noqa: N806
    if hasattr(X, "toarray"):  # a sparse matrix
        X = X.toarray()  # noqa: N806
    rows = to_json(X)
    if not isinstance(rows, list):
        raise TypeError(f"a {type(X).__name__} is no table")
    if of_frame and rows and isinstance(rows[0], list):
        return _named(rows, list(signature["instance_schema"].get("properties", {})))
    return rows


def _named(rows: list[Any], names: list[str]) -> list[dict[str, Any]]:
    """Rows without names, which mean the columns in their order."""
    widths = {len(row) for row in rows}
    if widths != {len(names)}:
        raise ValueError(f"rows of {', '.join(map(str, sorted(widths)))} values, for columns {', '.join(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _calls(X: Any, signature: Signature) -> tuple[list[Any], bool]:  # noqa: N803
    names = list(signature["parameters"])
    if hasattr(X, "columns"):
        rows = to_json(X)
        return ([row[names[0]] if list(row) == names else row for row in rows] if len(names) == 1 else rows), False
    if isinstance(X, list) or (hasattr(X, "shape") and len(X.shape) > 0) or type(X).__name__ == "Series":
        return [_one_call(item, names) for item in (X if isinstance(X, list) else list(X))], False
    return [_one_call(X, names)], True


def _one_call(item: Any, names: list[str]) -> Any:
    if isinstance(item, tuple) and len(names) > 1:
        return to_json(dict(zip(names, item, strict=True)))
    return to_json(item)


def answers_of(answers: list[Any], signature: Signature, asked: Any) -> Any:
    """The answers to a batch as the notebook's model gives them."""
    if signature["container"] == "call":
        return answers
    if answers and all(isinstance(answer, dict) for answer in answers):
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(asked, pandas.DataFrame):
            return pandas.DataFrame(answers, index=asked.index)
        return answers
    try:
        array = np.asarray(answers)
    except ValueError:  # of no regular shape
        return answers
    return _typed(array, signature["answer_dtype"])


def _typed(array: Any, name: str) -> Any:
    """An array of the model's own type, as far as NumPy has it and every answer fits."""
    try:
        wanted = np.dtype("float32" if name == "bfloat16" else name)
    except TypeError:  # pandas' own: Int64, boolean, category, …
        wanted = array.dtype
    kind = array.dtype.kind
    if kind == "O":
        words = any(isinstance(value, str | dict | list | bool) for value in array.flat)
        return array if words else array.astype(wanted if wanted.kind == "f" else float)  # None: NaN
    if kind == "U":
        return array.astype(wanted) if wanted.kind == "M" and not _zoned(array) else array
    if wanted.kind == "m":
        return (array.astype(float) * 1e9).round().astype("timedelta64[ns]")
    return array.astype(wanted) if wanted.kind in "biuf" else array


def _zoned(array: Any) -> bool:
    return any(value.endswith("Z") or "+" in value for value in array.flat)
