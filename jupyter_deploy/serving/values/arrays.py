"""Conversion of JSON values to NumPy arrays and torch tensors of the example's type, without silent overflow."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .validation import MAX_ERRORS, InvalidInstances, Location


class ConversionError(ValueError):
    """A value does not fit the target type; the message completes "the value …".

    Parameters
    ----------
    loc
        The location in the value, as keys and positions.
    """

    def __init__(self, message: str, loc: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.loc = tuple(loc)


def to_array(values: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """Convert ``values`` (nested lists or one scalar) to an array of ``dtype``.

    Raises
    ------
    ConversionError
        A value is out of range or missing where it must not be, or the nesting is uneven.
    """
    target = np.dtype(dtype)
    try:
        with np.errstate(over="ignore"):  # checked below
            array = _cast(values, target)
    except ConversionError:
        raise
    except OverflowError as error:
        raise ConversionError(f"is out of the range of {target}") from error
    except (ValueError, TypeError) as error:
        if "inhomogeneous" in str(error):  # NumPy's word
            raise ConversionError("holds lists of different lengths; pad them to one length") from error
        raise ConversionError(f"does not fit {target}: {error}") from error
    if target.kind == "f" and np.isinf(array).any():
        raise ConversionError(f"is out of the range of {target}")
    return array


def _cast(values: Any, target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Cast without NumPy's silent conversions: truncated fractions and texts, None as False or ``'None'``."""
    natural = np.asarray(values)
    match target.kind:
        case "i" | "u":
            if natural.dtype.kind == "f" and not np.equal(np.mod(natural, 1), 0).all():
                raise ConversionError("must be a whole number")
        case "b" | "U" if natural.size and natural.dtype.kind != target.kind:
            raise ConversionError(f"must be {'true or false' if target.kind == 'b' else 'a string'}")
        case "S":  # base64: see to_json
            texts = np.asarray(values, dtype=object)
            return np.asarray(np.frompyfunc(decode_base64, 1, 1)(texts)).astype("S")
        case "U":  # long enough for these texts too, not only for the example's
            return natural.astype(max(natural.dtype, target, key=lambda dtype: dtype.itemsize))
        case "M":
            moments = np.asarray(values, dtype="datetime64")
            array = moments.astype(target)
            if not (np.isnat(moments) | (array.astype(moments.dtype) == moments)).all():
                raise ConversionError(f"is out of the range of {target}")
            return array
        case "m":  # as seconds: see to_json
            return np.asarray(np.asarray(values, dtype=np.float64) * 1e9).round().astype("m8[ns]").astype(target)
        case _:
            pass
    return np.asarray(values, dtype=target)


def decode_base64(text: str) -> bytes:
    """Decode base64.

    Raises
    ------
    ConversionError
        The text is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ConversionError("must be base64") from error


def to_tensor(values: Any, prototype: Any) -> Any:
    """Convert ``values`` to a torch tensor of the prototype's dtype, on its device."""
    import torch  # only models that take tensors need it

    return torch.from_numpy(np.array(to_array(values, numpy_type(prototype)))).to(prototype)


def numpy_type(tensor: Any) -> np.dtype[Any]:
    """Return the NumPy dtype with which values become a tensor of this dtype."""
    try:
        dtype: np.dtype[Any] = tensor.detach().cpu().numpy().dtype
    except TypeError:  # bfloat16 and similar dtypes have no NumPy dtype
        dtype = np.dtype(np.float32)
    return dtype


def batch_of(instances: Sequence[Any], prototype: Any, convert: Callable[[Any], Any]) -> Any:
    """Return ``convert(instances)`` with rows of the prototype's shape.

    Raises
    ------
    InvalidInstances
        Some rows do not fit; the errors name them.
    """
    shape = tuple(prototype.shape[1:])
    try:
        batch = convert(instances)
    except ConversionError as error:
        raise invalid_rows(instances, lambda row: convert([row]), error) from error
    if tuple(batch.shape[1:]) != shape:
        message = f"must have the shape {list(shape)}, not {list(batch.shape[1:])}"
        raise InvalidInstances([{"loc": ["instances", 0], "msg": message}])
    return batch


def invalid_rows(
    values: Sequence[Any], convert: Callable[[Any], Any], error: ConversionError, *key: str
) -> InvalidInstances:
    """Return the error with each row whose value ``convert`` refuses."""
    errors: list[dict[str, Any]] = []
    for row, value in enumerate(values):
        try:
            convert(value)
        except ConversionError as reason:
            loc: Location = ["instances", row, *key, *reason.loc]
            errors.append({"loc": loc, "msg": str(reason)})
            if len(errors) == MAX_ERRORS:
                break
    return InvalidInstances(errors or [{"loc": ["instances", *key], "msg": str(error)}])
