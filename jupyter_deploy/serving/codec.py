"""The way from a request's instances to the model's arguments, and from the model's answer to predictions.

``Codec.decode`` and ``instances_of`` are each other's inverse: what the notebook showed as an example comes back
from its JSON form as the same kind of thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .arrays import Unfit, batch_of, to_array, to_tensor
from .validation import InvalidInstances, Validator
from .values import records, to_json

__all__ = ["BadAnswer", "Codec", "InvalidInstances", "encode", "instances_of", "to_json"]


class BadAnswer(ValueError):
    """The model's answer is not one prediction for each row."""


class Codec:
    """Translates for one model.

    Parameters
    ----------
    signature
        ``container``, ``parameters`` and ``instance_schema`` as in ``snapshot.json``.
    prototype
        What the model is called with, without its rows: a data frame, array or tensor of length 0; for ``call`` a
        dict of such arrays and tensors by parameter name (parameters that take plain values are absent); or None.
    """

    def __init__(self, signature: Mapping[str, Any], prototype: Any = None) -> None:
        self.container: str = signature["container"]
        self.parameters: tuple[str, ...] = tuple(signature.get("parameters") or ())
        self._prototype = prototype
        calls = self.container == "call"
        self._validator = Validator(signature["instance_schema"], noun="parameter" if calls else "feature")
        if self.container == "frame":
            from .frames import FrameMaker  # noqa: PLC0415  pandas only where a model takes data frames

            self._frames = FrameMaker(prototype)

    def decode(self, instances: Sequence[Any]) -> Any:
        """The batch that the model is called with; for ``call`` a list of keyword arguments, one dict a call.

        Raises
        ------
        InvalidInstances
            It names each row, and in it the feature, that does not fit.
        """
        rows = self._validator.validated(instances)
        match self.container:
            case "frame":
                return self._frames.frame(rows)
            case "array":
                return batch_of(rows, self._prototype, partial(to_array, dtype=self._prototype.dtype))
            case "tensor":
                return batch_of(rows, self._prototype, partial(to_tensor, prototype=self._prototype))
            case "call":
                return [self._arguments(row, value) for row, value in enumerate(rows)]
            case _:
                return rows

    def encode(self, answer: Any, rows: int) -> list[Any]:
        """``answer`` as the predictions for ``rows`` instances."""
        return encode(answer, rows)

    def _arguments(self, row: int, instance: Any) -> dict[str, Any]:
        if len(self.parameters) == 1:
            return {self.parameters[0]: self._argument(row, self.parameters[0], instance)}
        return {name: self._argument(row, name, value, name) for name, value in instance.items()}

    def _argument(self, row: int, name: str, value: Any, *key: str) -> Any:
        prototype = (self._prototype or {}).get(name)
        if prototype is None:
            return value
        try:
            return _like(prototype, value)
        except Unfit as unfit:
            raise InvalidInstances([{"loc": ["instances", row, *key], "msg": str(unfit)}]) from unfit


def _like(prototype: Any, value: Any) -> Any:
    """``value`` as the kind of array, tensor or Series that ``prototype`` is."""
    if isinstance(prototype, np.generic):
        return to_array(value, prototype.dtype)[()]
    if isinstance(prototype, np.ndarray):
        return to_array(value, prototype.dtype)
    if hasattr(prototype, "iloc"):
        from .frames import to_series  # noqa: PLC0415  pandas only where a model takes it

        return to_series(value, prototype)
    return to_tensor(value, prototype)


def encode(answer: Any, rows: int) -> list[Any]:
    """``answer`` as a list of exactly ``rows`` JSON values.

    Raises
    ------
    BadAnswer
        It is one value for all rows, or has another number of rows.
    TypeError
        A value in it has no JSON form.
    """
    if hasattr(answer, "toarray"):  # a sparse matrix
        answer = answer.toarray()
    name = f"{type(answer).__module__}.{type(answer).__qualname__}".removeprefix("builtins.")
    shape = getattr(answer, "shape", None)
    if isinstance(answer, (str, bytes, Mapping, tuple)) or shape == () or not hasattr(answer, "__len__"):
        raise BadAnswer(
            f"the model answered one {name} for the whole batch; it must answer one value a row: "
            "a list, an array, a tensor, a Series or a DataFrame"
        )
    if len(answer) != rows:
        raise BadAnswer(f"the model gave {len(answer)} answers for {rows} rows; it must give one for each row")
    encoded = to_json(answer)
    if not isinstance(encoded, list):
        raise BadAnswer(f"the model answered one {name} for the whole batch; it must answer a list or an array")
    return encoded


def instances_of(example: Any, container: str, parameters: Sequence[str] = ()) -> list[Any]:
    """A native example as the instances of a request.

    For ``call`` the example is one call's keyword arguments by parameter name, or a list of such dicts.
    """
    if container == "frame":
        return records(example)
    if container != "call":
        return list(to_json(example))
    calls = [example] if isinstance(example, Mapping) else example
    if len(parameters) == 1:
        return [to_json(call[parameters[0]]) for call in calls]
    return [{name: to_json(value) for name, value in call.items()} for call in calls]
