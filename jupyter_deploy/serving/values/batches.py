"""Batches: the model's arguments from validated rows, for each container, with fast paths for the common ones.

The rows of a request become a *content* first: validated values that can be joined with those of other requests without
another check. For most containers the content is the model's argument already.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from .arrays import numpy_type
from .codec import Codec
from .msgspec_types import NoFastPath, RowStruct, msgspec_type, row_struct
from .numeric import Numbers, are_numbers


class Batches:
    """Contents that are the model's argument.

    Attributes
    ----------
    type
        The type to which msgspec decodes an instance; None: there is no fast path.
    rows
        The struct of an instance, if instances are objects.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.rows: RowStruct | None = None
        self.type: Any = None
        try:
            self.type = self._msgspec_type()
        except NoFastPath:
            self.rows = None

    def content(self, instances: list[Any]) -> Any:
        """Return the content of instances decoded as ``type``; raises any exception if there is no fast path."""
        return self._codec.build(self.rows.objects(instances) if self.rows else instances)

    def content_of(self, rows: list[Any]) -> Any:
        """Return the content of validated JSON values.

        Raises
        ------
        InvalidInstances
            A value does not fit the model's types.
        """
        return self._codec.build(rows)

    def content_of_columns(self, columns: Mapping[str, Any]) -> Any:
        """Return the content of columns by name.

        Raises
        ------
        NoFastPath
            Each value must be checked.
        """
        raise NoFastPath(f"{len(columns)} columns")

    def content_of_array(self, array: np.ndarray[Any, Any]) -> Any:
        """Return the content of an array of all rows.

        Raises
        ------
        NoFastPath
            Each value must be checked.
        """
        raise NoFastPath(f"an array of {array.dtype}")

    def batch(self, contents: Sequence[Any]) -> Any:
        """Return the model's argument for all contents."""
        return contents[0] if len(contents) == 1 else self._joined(contents)

    def _joined(self, contents: Sequence[Any]) -> Any:
        return list(chain.from_iterable(contents))

    def _msgspec_type(self) -> Any:
        schema = self._codec.schema
        if schema.get("type") != "object":
            return msgspec_type(schema)
        self.rows = row_struct(schema)
        return self.rows.type


class Arrays(Batches):
    """Contents of arrays and tensors; numbers are decoded within the range of their dtype and need no second check."""

    def __init__(self, codec: Codec) -> None:
        prototype = codec.prototype
        self._tensor = codec.container == "tensor"
        self._dtype = numpy_type(prototype) if self._tensor else prototype.dtype
        self._shape = tuple(prototype.shape[1:])
        self._numbers: Numbers | None = None
        self._width: int | None = None
        super().__init__(codec)

    def content(self, instances: list[Any]) -> Any:
        if self._numbers is None:
            return super().content(instances)
        return self._check_shape(self._numbers.array(instances, self._width))

    def content_of_array(self, array: np.ndarray[Any, Any]) -> Any:
        if self._numbers is None:
            raise NoFastPath("no numbers")
        return self._check_shape(self._numbers.of_array(array, self._leaf))

    def batch(self, contents: Sequence[Any]) -> Any:
        # A tensor of one request costs as much as one of all rows. The slow path makes tensors already.
        if self._tensor and len(contents) > 1 and not all(isinstance(one, np.ndarray) for one in contents):
            return sys.modules["torch"].cat([self._to_model_type(one) for one in contents])
        return self._to_model_type(super().batch(contents))

    def _check_shape(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if array.shape[1:] != self._shape:
            raise NoFastPath("another shape")
        return array

    def _to_model_type(self, content: Any) -> Any:
        if self._tensor and isinstance(content, np.ndarray):
            return sys.modules["torch"].from_numpy(content).to(self._codec.prototype)
        return content

    def _joined(self, contents: Sequence[Any]) -> Any:
        return np.concatenate(contents, dtype=self._dtype if self._numbers else None)

    def _msgspec_type(self) -> Any:
        leaf, lengths = self._codec.schema, []
        while leaf.get("type") == "array":
            lengths.append(leaf["minItems"] if leaf.get("minItems") == leaf.get("maxItems") else None)
            leaf = leaf.get("items") or {}
        if len(lengths) != len(self._shape) or not are_numbers(leaf, self._dtype):
            return super()._msgspec_type()
        if len(lengths) == 1 and "null" not in leaf["type"]:
            self._width = lengths[0]
        self._numbers, self._leaf = Numbers(self._dtype), leaf
        return self._numbers.type(self._codec.schema)


class PolarsFrames(Batches):
    """Contents of Polars frames, eager or lazy."""

    def _joined(self, contents: Sequence[Any]) -> Any:
        return sys.modules["polars"].concat(contents)
