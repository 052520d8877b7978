"""The model's answer as the Open Inference Protocol's output tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dispatch.parsed_request import Raw
from .tensors import BYTES, DATATYPES, Tensor, tensor_of

DEFAULT = "output-0"


def outputs_of(signature: Mapping[str, Any]) -> list[Tensor]:
    """The tensors of an answer: one for each column of a frame of plain values, else one."""
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
    """One output of one answer.

    Attributes
    ----------
    raw
        Its elements in JSON, where they were written already.
    content
        Else the elements themselves: an array, or lists.
    """

    name: str
    datatype: str
    shape: list[int]
    raw: Raw | None
    content: Any

    def render(self, data: bytes) -> bytes:
        """Its part of the response, with its data or their size."""
        description = {"name": self.name, "datatype": self.datatype, "shape": self.shape}
        return json.dumps(description, separators=(",", ":")).encode("utf-8")[:-1] + b"," + data + b"}"

    def data(self) -> bytes:
        """Its elements in JSON; nested lists in row-major order say the same as a flat one."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def values(self) -> Any:
        """Its elements as an array or lists."""
        return self.content if self.content is not None else json.loads(self.raw or b"[]")


def part_of(tensor: Tensor, rows: int, native: Any, predictions: Raw, *, one: bool) -> Part:
    """What of the answer is one output; ``one``: it is all of it."""
    shape = [rows, *tensor.sizes]
    if not one:
        column = [row[tensor.name] for row in json.loads(predictions)]
        return Part(tensor.name, tensor.datatype, shape, None, column)
    array = _plain(native)
    if array is not None:  # what it is, even if the example's answers were of another type
        return Part(tensor.name, DATATYPES[array.dtype], list(array.shape), predictions, array)
    if tensor.as_json:
        texts = [json.dumps(value, ensure_ascii=False) for value in json.loads(predictions)]
        return Part(tensor.name, BYTES, [rows], None, texts)
    return Part(tensor.name, tensor.datatype, shape, predictions, None)


def _plain(native: Any) -> np.ndarray[Any, Any] | None:
    """An array of numbers as one in this machine's memory."""
    if hasattr(native, "detach"):
        native = native.detach().cpu()
        try:
            native = native.numpy()
        except TypeError:  # bfloat16 and its like
            native = native.float().numpy()
    if not isinstance(native, np.ndarray) or native.dtype not in DATATYPES:
        return None
    return native.astype(np.float32) if native.dtype == np.float16 else native  # JSON has no FP16
