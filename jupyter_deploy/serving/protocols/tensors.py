"""Tensors of the Open Inference Protocol: names, datatypes, bytes and JSON."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..asgi.problems import Problem
from ..values.validation import InvalidInstances

BYTES = "BYTES"

DTYPES: dict[str, Any] = {
    "BOOL": np.dtype("?"),
    **{f"{kind}{bits}": np.dtype(f"<{code}{bits // 8}") for kind, code in (("INT", "i"), ("UINT", "u"))
       for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}  # fmt: skip

DATATYPES = {dtype: name for name, dtype in DTYPES.items()}

BF16 = "BF16"

_MAX_DIMENSIONS = 16
_MAX_ELEMENTS = 2**59  # NumPy refuses an empty array too if its other sizes multiply to 2**63 bytes

_SCALARS = {"integer": "INT64", "number": "FP64", "boolean": "BOOL", "string": BYTES}


@dataclass(frozen=True, slots=True)
class Tensor:
    """The declaration of a tensor.

    Attributes
    ----------
    sizes
        The shape of one instance; empty for a single value.
    as_json
        Whether the elements are JSON texts, since no datatype can hold the values.
    """

    name: str
    datatype: str = BYTES
    sizes: tuple[int, ...] = ()
    as_json: bool = False

    def metadata(self) -> dict[str, Any]:
        description = {"name": self.name, "datatype": self.datatype, "shape": [-1, *self.sizes]}
        return description | ({"parameters": {"content_type": "json"}} if self.as_json else {})


def tensor_of(name: str, schema: Mapping[str, Any], dtype: Any = None) -> Tensor:
    """Return the tensor for values that satisfy ``schema``; ``dtype`` refines the datatype of numbers."""
    sizes: list[int] = []
    inner = schema
    while inner.get("type") == "array" and "prefixItems" not in inner:
        length = inner.get("minItems")
        if length is None or length != inner.get("maxItems") or not length:
            return Tensor(name, as_json=True)
        sizes.append(length)
        inner = inner.get("items") or {}
    declared = inner.get("type", ())
    kinds = {declared} if isinstance(declared, str) else set(declared)
    kinds -= {"null"}
    if not kinds and all(isinstance(value, str) for value in inner.get("enum", ())) and "enum" in inner:
        kinds = {"string"}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) != 1 or (kind := kinds.pop()) not in _SCALARS:
        return Tensor(name, as_json=True)
    datatype = _SCALARS[kind]
    if datatype != BYTES and dtype is not None:
        datatype = DATATYPES.get(np.dtype(dtype), datatype)
    return Tensor(name, datatype, tuple(sizes))


@dataclass(frozen=True, slots=True)
class InputTensor:
    """A tensor of a request.

    Attributes
    ----------
    values
        The elements in row-major order: a list, or an array if they arrived as bytes.
    """

    name: str
    shape: tuple[int, ...]
    values: Any

    @property
    def rows(self) -> int:
        return self.shape[0]

    def array(self) -> np.ndarray[Any, Any]:
        """Return the array in its shape; only for elements that arrived as bytes."""
        array: np.ndarray[Any, Any] = self.values.reshape(self.shape)
        return array

    def listed(self) -> list[Any]:
        """Return the elements as JSON values; NaN becomes null.

        Raises
        ------
        InvalidInstances
            An element is infinite.
        """
        if isinstance(self.values, list):
            return self.values
        if self.values.dtype.kind == "f" and not np.isfinite(self.values).all():
            if (infinite := np.isinf(self.values)).any():
                row = int(infinite.argmax()) * self.rows // len(self.values)
                raise InvalidInstances([{"loc": ["instances", row, self.name], "msg": "must be a finite number"}])
            return [None if math.isnan(value) else value for value in self.values.tolist()]
        listed: list[Any] = self.values.tolist()
        return listed

    def nested(self) -> list[Any]:
        """Return nested lists, one item a row."""
        nested = self.listed()
        if not nested:
            return []
        for size in reversed(self.shape[1:]):
            nested = [nested[at : at + size] for at in range(0, len(nested), size)]
        return nested

    def single_column(self) -> InputTensor:
        """Return this tensor if it has one element a row.

        Raises
        ------
        Problem
            400: it has another shape.
        """
        if len(self.values) != self.rows:
            raise tensor_problem(
                self.name, f"must have the shape [{self.rows}] or [{self.rows}, 1], not {list(self.shape)}"
            )
        return self


def tensor_problem(name: str, words: str) -> Problem:
    """Return the problem of one tensor."""
    return Problem(400, f"the tensor '{name[:80]}' {words}", [{"loc": ["inputs", name[:80]], "msg": words}])


def input_tensor(item: Any, number: int, content: memoryview) -> tuple[InputTensor, int]:
    """Parse an item of ``inputs``; return the tensor and the number of bytes that it takes from ``content``."""
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str):
        words = "must be an object with name, shape, datatype and data"
        raise Problem(400, f"inputs.{number}: {words}", [{"loc": ["inputs", number], "msg": words}])
    datatype = item.get("datatype")
    if not isinstance(datatype, str) or datatype not in (*DTYPES, BYTES, BF16):
        raise tensor_problem(name, f"has an unknown datatype; the datatypes are {', '.join([*DTYPES, BF16, BYTES])}")
    shape = _shape(name, item.get("shape"))
    parameters = item.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise tensor_problem(name, "must have an object of parameters")
    if "shared_memory_region" in parameters:
        raise tensor_problem(name, "is in shared memory, which is not supported; send its data")
    size = parameters.get("binary_data_size")
    if size is None:
        if datatype in ("FP16", BF16):
            raise tensor_problem(name, f"of {datatype} must be sent as binary data: JSON has no such numbers")
        return InputTensor(name, shape, _flat(name, item.get("data"), math.prod(shape))), 0
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(content):
        raise tensor_problem(name, f"has a binary_data_size beyond the {len(content)} bytes of the body")
    if "data" in item:
        raise tensor_problem(name, "has data and a binary_data_size; send one of them")
    return InputTensor(name, shape, _unpacked(name, datatype, shape, content[:size])), size


def _shape(name: str, sizes: Any) -> tuple[int, ...]:
    if (
        not isinstance(sizes, list)
        or not 0 < len(sizes) <= _MAX_DIMENSIONS
        or any(isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63 for size in sizes)
    ):
        raise tensor_problem(name, "must have a shape: a list of sizes, the first of which counts the rows")
    if sizes[0] and not math.prod(sizes):
        raise tensor_problem(name, f"of the shape {str(sizes)[:80]} has rows without elements")
    if not sizes[0] and math.prod(size or 1 for size in sizes) > _MAX_ELEMENTS:
        raise tensor_problem(name, f"of the shape {str(sizes)[:80]} is too large")
    return tuple(sizes)


def _flat(name: str, data: Any, count: int) -> list[Any]:
    if not isinstance(data, list):
        raise tensor_problem(name, "must have a list of data")
    flat = data
    while flat and isinstance(flat[0], list):
        if not all(isinstance(item, list) for item in flat):
            raise tensor_problem(name, "mixes lists and values in its data")
        flat = [inner for item in flat for inner in item]
    if len(flat) != count:
        raise tensor_problem(name, f"has {len(flat)} elements, but its shape has {str(count)[:40]}")
    return flat


def _unpacked(name: str, datatype: str, shape: tuple[int, ...], content: memoryview) -> Any:
    count = math.prod(shape)
    if datatype == BYTES:
        texts = list(_texts(name, content))
        if len(texts) != count:
            raise tensor_problem(name, f"has {len(texts)} elements, but its shape has {str(count)[:40]}")
        return texts
    item = 2 if datatype == BF16 else DTYPES[datatype].itemsize
    if len(content) != count * item:
        raise tensor_problem(name, f"has {len(content)} bytes, but its shape has {str(count * item)[:40]}")
    if datatype == BF16:
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
    if datatype == "BOOL":  # any byte but 0 is true; NumPy would treat other bytes as neither
        return np.frombuffer(content, np.uint8) != 0
    return np.frombuffer(content, DTYPES[datatype])


def _texts(name: str, content: memoryview) -> Iterator[str]:
    at = 0
    while at < len(content):
        if at + 4 > len(content):
            raise tensor_problem(name, "ends within the length of an element")
        (length,) = struct.unpack_from("<I", content, at)
        at += 4
        if at + length > len(content):
            raise tensor_problem(name, "ends within an element")
        try:
            yield bytes(content[at : at + length]).decode("utf-8")
        except UnicodeDecodeError as error:
            raise tensor_problem(name, f"holds an element that is not UTF-8: {error.reason}") from error
        at += length


def in_bytes(values: Any, datatype: str) -> bytes:
    """Write elements as the binary extension does.

    Raises
    ------
    TypeError, ValueError
        The datatype cannot hold an element, such as a missing whole number.
    """
    if datatype == BYTES:
        if any(value is None for value in values):
            raise TypeError("a missing value has no bytes")
        texts = [str(value).encode("utf-8") for value in np.asarray(values, dtype=object).ravel()]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if datatype == "BOOL" or not isinstance(values, np.ndarray):
        values = _exactly(values, DTYPES[datatype])
    return np.ascontiguousarray(values, dtype=DTYPES[datatype]).tobytes()


def _exactly(values: Any, dtype: Any) -> np.ndarray[Any, Any]:
    natural = np.asarray(values)
    if dtype.kind in "iub" and natural.size and natural.dtype.kind not in ("b" if dtype.kind == "b" else "iu"):
        raise TypeError(f"an answer of {natural.dtype} is not one of {dtype}")
    return np.asarray(values, dtype=dtype)
