"""The codec: conversion of instances to the model's arguments, and of the model's answer to predictions.

``Codec.decode`` is the inverse of ``instances_of``: the notebook's example, converted to JSON and back, has the same
types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .arrays import ConversionError, batch_of, invalid_rows, to_array, to_tensor
from .json_values import to_json
from .validation import InvalidInstances, Validator
from .value_types import Converter, ValueType, is_value_type, reader, writer

__all__ = ["BadAnswer", "Codec", "InvalidInstances", "encode", "instances_of", "to_json"]


class BadAnswer(ValueError):
    """The model's answer is not one prediction for each row."""


class Codec:
    """Converts for one model.

    Parameters
    ----------
    signature
        ``container``, ``parameters`` and ``instance_schema`` of ``snapshot.json``.
    prototype
        The model's argument without rows: a frame, array or tensor of length 0, or a *value type* (``value_types.py``);
        for ``list`` the value type of a row; for ``call`` a dict of value types by parameter name, without the
        parameters that take plain values; or None.
    """

    def __init__(self, signature: Mapping[str, Any], prototype: Any = None) -> None:
        self.container: str = signature["container"]
        self.parameters: tuple[str, ...] = tuple(signature.get("parameters") or ())
        self.schema: Mapping[str, Any] = signature["instance_schema"]
        self.prototype = prototype
        calls = self.container == "call"
        self._validator = Validator(self.schema, noun="parameter" if calls else "feature")
        self._read: Converter = reader(prototype) if self.container in ("frame", "list") else _identity
        self._arguments_read = (
            {name: reader(value_type) for name, value_type in (prototype or {}).items()} if calls else {}
        )
        self.defaults = _defaults(self.schema) if self.container == "frame" else {}

    def decode(self, instances: Sequence[Any]) -> Any:
        """Return the model's batch; for ``call`` a list of keyword arguments, one dict a call.

        Raises
        ------
        InvalidInstances
            Rows do not fit; the errors name each row and feature.
        """
        return self.build(self.validated(instances))

    def validated(self, instances: Sequence[Any]) -> list[Any]:
        """Return the validated instances with the defaults of columns that are left out.

        Raises
        ------
        InvalidInstances
            The instances do not satisfy the schema.
        """
        rows = self._validator.validated(instances)
        return [self.defaults | row for row in rows] if self.defaults else rows

    def build(self, rows: list[Any]) -> Any:
        """Return the batch of validated rows.

        Raises
        ------
        InvalidInstances
            A value does not fit the model's types.
        """
        match self.container:
            case "frame":
                return self._read(rows)
            case "array":
                return batch_of(rows, self.prototype, partial(to_array, dtype=self.prototype.dtype))
            case "tensor":
                return batch_of(rows, self.prototype, partial(to_tensor, prototype=self.prototype))
            case "call":
                return [self._arguments(row, value) for row, value in enumerate(rows)]
            case _:
                return self._rows(rows)

    def encode(self, answer: Any, rows: int) -> list[Any]:
        """Return ``answer`` as the predictions for ``rows`` instances."""
        return encode(answer, rows)

    def _rows(self, rows: list[Any]) -> list[Any]:
        try:
            return [self._read(row) for row in rows]
        except ConversionError as error:
            raise invalid_rows(rows, self._read, error) from error

    def _arguments(self, row: int, instance: Any) -> dict[str, Any]:
        if len(self.parameters) == 1:
            return {self.parameters[0]: self._argument(row, self.parameters[0], instance)}
        return {name: self._argument(row, name, value, name) for name, value in instance.items()}

    def _argument(self, row: int, name: str, value: Any, *key: str) -> Any:
        read = self._arguments_read.get(name)
        if read is None:
            return value
        try:
            return read(value)
        except ConversionError as error:
            raise InvalidInstances([{"loc": ["instances", row, *key, *error.loc], "msg": str(error)}]) from error
        except InvalidInstances as invalid:  # a table among the arguments, whose rows are not the request's
            errors = [error | {"loc": ["instances", row, *key, *error["loc"][1:]]} for error in invalid.errors]
            raise InvalidInstances(errors) from invalid


def _identity(value: Any) -> Any:
    return value


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of columns; only a user's own signature has any."""
    return {name: inner["default"] for name, inner in schema.get("properties", {}).items() if "default" in inner}


def encode(answer: Any, rows: int) -> list[Any]:
    """Return ``answer`` as a list of exactly ``rows`` JSON values.

    Raises
    ------
    BadAnswer
        The answer is one value for all rows, or has another number of rows.
    TypeError
        A value has no JSON form.
    """
    answer = checked(answer, rows)
    encoded = to_json(answer)
    if not isinstance(encoded, list):
        raise BadAnswer(
            f"the model returned one {_kind(answer)} for the whole batch; it must return a list or an array"
        )
    return encoded


def checked(answer: Any, rows: int) -> Any:
    """Return ``answer`` as a sequence with one item for each of ``rows``.

    Raises
    ------
    BadAnswer
        The answer is one value for all rows, or has another number of rows.
    """
    if hasattr(answer, "toarray"):  # a sparse matrix
        answer = answer.toarray()
    elif getattr(answer, "is_sparse", False) is True:  # a sparse tensor
        answer = answer.to_dense()
    elif hasattr(answer, "collect_schema") and hasattr(answer, "collect"):  # a lazy frame
        answer = answer.collect()
    shape = getattr(answer, "shape", None)
    if isinstance(answer, (str, bytes, Mapping, tuple)) or shape == () or not hasattr(answer, "__len__"):
        raise BadAnswer(
            f"the model returned one {_kind(answer)} for the whole batch; it must return one value a row: "
            "a list, an array, a tensor, a Series or a DataFrame"
        )
    if len(answer) != rows:
        raise BadAnswer(f"the model returned {len(answer)} answers for {rows} rows; it must return one for each row")
    return answer


def _kind(answer: Any) -> str:
    return f"{type(answer).__module__}.{type(answer).__qualname__}".removeprefix("builtins.")


def instances_of(example: Any, container: str, parameters: Sequence[str] = (), prototype: Any = None) -> list[Any]:
    """Return the instances of a native example.

    For ``call`` the example is one call's keyword arguments by parameter name, or a list of such dicts. ``prototype``
    is the codec's.
    """
    if container == "frame":
        return list(writer(prototype if is_value_type(prototype, "frame") else None)(example))
    if container == "list" and prototype is not None:
        write = writer(prototype)
        return [write(row) for row in example]
    if container != "call":
        return list(to_json(example))
    calls = [example] if isinstance(example, Mapping) else example
    value_types: Mapping[str, ValueType] = prototype or {}
    if len(parameters) == 1:
        name = parameters[0]
        return [writer(value_types.get(name))(call[name]) for call in calls]
    return [{name: writer(value_types.get(name))(value) for name, value in call.items()} for call in calls]
