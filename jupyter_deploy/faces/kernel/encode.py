"""Encoding of a notebook's values as instances of a request, and decoding of answers as the model's own types."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.serving.values.json_values import to_json

Signature = Mapping[str, Any]
"""The signature of ``/metadata``: container, parameters, instance_schema, answer_dtype."""


def encode_instances(batch: Any, signature: Signature) -> tuple[list[Any], bool]:
    """Encode the instances; True with a single call, whose answer is not a list.

    Raises
    ------
    InvalidInput
        The value cannot be sent, or has another number of columns.
    """
    try:
        if signature["container"] == "call":
            return _calls(batch, signature)
        return _rows(batch, signature), False
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"this cannot be sent as JSON: {error}", "give what the notebook's model takes: a table, an array, a list"
        ) from error


def encode_call(arguments: Sequence[Any], named: Mapping[str, Any], signature: Signature) -> Any:
    """Encode one call's arguments as an instance.

    Raises
    ------
    InvalidInput
        There are more arguments than parameters, or one is given twice.
    """
    names = list(signature["parameters"])
    if len(arguments) > len(names) or set(names[: len(arguments)]) & named.keys():
        raise InvalidInput(f"the function takes {', '.join(names)}, each once", "call it as the notebook calls its own")
    given = dict(zip(names, arguments, strict=False)) | dict(named)
    if len(names) == 1 and list(given) == names:
        return to_json(given[names[0]])
    return to_json(given)


def _rows(batch: Any, signature: Signature) -> list[Any]:
    if isinstance(batch, Mapping | str):
        return [to_json(batch)]  # one row, one text
    if hasattr(batch, "collect") and hasattr(batch, "collect_schema"):
        batch = batch.collect()
    of_frame = signature["container"] == "frame"
    if hasattr(batch, "columns") and not of_frame:
        batch = batch.to_numpy()
    if hasattr(batch, "toarray"):  # a sparse matrix
        batch = batch.toarray()
    rows = to_json(batch)
    if not isinstance(rows, list):
        raise TypeError(f"a {type(batch).__name__} is no table")
    if of_frame and rows and isinstance(rows[0], list):
        return _named(rows, list(signature["instance_schema"].get("properties", {})))
    return rows


def _named(rows: list[Any], names: list[str]) -> list[dict[str, Any]]:
    """Name the values of rows without names by the order of the columns."""
    widths = {len(row) for row in rows}
    if widths != {len(names)}:
        raise ValueError(f"rows of {', '.join(map(str, sorted(widths)))} values, for columns {', '.join(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _calls(batch: Any, signature: Signature) -> tuple[list[Any], bool]:
    names = list(signature["parameters"])
    if hasattr(batch, "columns"):
        rows = to_json(batch)
        return ([row[names[0]] if list(row) == names else row for row in rows] if len(names) == 1 else rows), False
    is_array = hasattr(batch, "shape") and len(batch.shape) > 0
    if isinstance(batch, list) or is_array or type(batch).__name__ == "Series":
        return [_one_call(item, names) for item in (batch if isinstance(batch, list) else list(batch))], False
    return [_one_call(batch, names)], True


def _one_call(item: Any, names: list[str]) -> Any:
    if isinstance(item, tuple) and len(names) > 1:
        return to_json(dict(zip(names, item, strict=True)))
    return to_json(item)


def decode_answers(answers: list[Any], signature: Signature, batch: Any) -> Any:
    """Decode the answers to a batch into the model's own type; ``batch``: the value that was sent."""
    if signature["container"] == "call":
        return answers
    if answers and all(isinstance(answer, dict) for answer in answers):
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(batch, pandas.DataFrame):
            return pandas.DataFrame(answers, index=batch.index)
        return answers
    try:
        array = np.asarray(answers)
    except ValueError:  # of no regular shape
        return answers
    return _typed(array, signature["answer_dtype"])


def _typed(array: Any, name: str) -> Any:
    """Convert an array to the model's own type, if NumPy has it and every answer fits."""
    try:
        dtype = np.dtype("float32" if name == "bfloat16" else name)
    except TypeError:  # pandas' own: Int64, boolean, category, …
        dtype = array.dtype
    kind = array.dtype.kind
    if kind == "O":
        mixed = any(isinstance(value, str | dict | list | bool) for value in array.flat)
        return array if mixed else array.astype(dtype if dtype.kind == "f" else float)  # None: NaN
    if kind == "U":
        return array.astype(dtype) if dtype.kind == "M" and not _zoned(array) else array
    if dtype.kind == "m":
        return (array.astype(float) * 1e9).round().astype("timedelta64[ns]")
    return array.astype(dtype) if dtype.kind in "biuf" else array


def _zoned(array: Any) -> bool:
    return any(value.endswith("Z") or "+" in value for value in array.flat)
