"""Model answers as output tensors of the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dispatch.predictions import Predictions
from .tensors import BYTES, DATATYPES, Tensor, tensor_of

DEFAULT = "output-0"


def outputs_of(signature: Mapping[str, Any]) -> list[Tensor]:
    """Return the output tensors: one for each column of a frame of plain values, else one."""
    schema = signature["answer_schema"]
    properties = schema.get("properties", {})
    if schema.get("type") == "object" and properties and set(properties) == set(schema.get("required", ())):
        tensors = [tensor_of(name, inner) for name, inner in properties.items()]
        if not any(tensor.as_json for tensor in tensors):
            return tensors
    return [tensor_of(DEFAULT, schema, _number(signature.get("answer_dtype", "")))]


def _number(name: str) -> Any:
    try:
        dtype = np.dtype(name)
    except TypeError:
        return None
    return dtype if dtype in DATATYPES else None


@dataclass(slots=True)
class Part:
    """One output of a response.

    Attributes
    ----------
    predictions
        The elements for JSON; None: ``content`` has them.
    content
        The elements as an array or lists; None: ``predictions`` has them.
    """

    name: str
    datatype: str
    shape: list[int]
    predictions: Predictions | None
    content: Any

    def render(self, data: bytes) -> bytes:
        """Return the output's JSON object with its data or their size."""
        description = {"name": self.name, "datatype": self.datatype, "shape": self.shape}
        return json.dumps(description, separators=(",", ":")).encode("utf-8")[:-1] + b"," + data + b"}"

    def data(self) -> bytes:
        """Return the elements in JSON; nested lists in row-major order are equivalent to a flat list."""
        if self.predictions is not None:
            return self.predictions.json
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def values(self) -> Any:
        """Return the elements as an array or lists."""
        if self.content is not None or self.predictions is None:
            return self.content
        return json.loads(self.predictions.json)


def part_of(tensor: Tensor, rows: int, native: Any, predictions: Predictions, *, one: bool) -> Part:
    """Return one output of an answer; ``one``: the model has a single output."""
    shape = [rows, *tensor.sizes]
    if not one:
        column = [row[tensor.name] for row in json.loads(predictions.json)]
        return Part(tensor.name, tensor.datatype, shape, None, column)
    array = _plain(native)
    if array is not None:  # the actual dtype, even if the example's answers had another
        return Part(tensor.name, DATATYPES[array.dtype], list(array.shape), predictions, array)
    if tensor.as_json:
        texts = [json.dumps(value, ensure_ascii=False) for value in json.loads(predictions.json)]
        return Part(tensor.name, BYTES, [rows], None, texts)
    return Part(tensor.name, tensor.datatype, shape, predictions, None)


def _plain(native: Any) -> np.ndarray[Any, Any] | None:
    """Return an array or tensor of numbers as an array in main memory, or None."""
    if hasattr(native, "detach"):
        native = native.detach().cpu()
        try:
            native = native.numpy()
        except TypeError:  # bfloat16 and similar dtypes
            native = native.float().numpy()
    if not isinstance(native, np.ndarray) or native.dtype not in DATATYPES:
        return None
    return native.astype(np.float32) if native.dtype == np.float16 else native  # JSON has no FP16
