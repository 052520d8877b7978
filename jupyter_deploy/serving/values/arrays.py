"""JSON values as numpy arrays and torch tensors of the type that the model was shown; never a silent wrap-around."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .validation import MAX_ERRORS, InvalidInstances, Location


class ConversionError(ValueError):
    """The values have no place in the wanted type; the message completes "the value …".

    Parameters
    ----------
    loc
        Where in the value it is, as keys and positions.
    """

    def __init__(self, message: str, loc: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.loc = tuple(loc)


def to_array(values: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """``values`` (nested lists or one scalar) as an array of ``dtype``.

    Raises
    ------
    Unfit
        A value is out of range, missing where nothing may be missing, or the nesting is uneven.
    """
    target = np.dtype(dtype)
    try:
        with np.errstate(over="ignore"):  # looked for below
            array = _cast(values, target)
    except ConversionError:
        raise
    except OverflowError as error:
        raise ConversionError(f"is out of the range of {target}") from error
    except (ValueError, TypeError) as error:
        if "inhomogeneous" in str(error):  # numpy's word
            raise ConversionError(
                "holds lists of different lengths; they must be of one: pad the shorter ones"
            ) from error
        raise ConversionError(f"does not fit {target}: {error}") from error
    if target.kind == "f" and np.isinf(array).any():
        raise ConversionError(f"is out of the range of {target}")
    return array


def _cast(values: Any, target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Without what numpy does in silence: cut off fractions and long texts, turn None into False or ``'None'``."""
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
        case "U":  # long enough for these texts, not only for the example's
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
    """The bytes that are written in base64.

    Raises
    ------
    Unfit
        They are not.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ConversionError("must be base64") from error


def to_tensor(values: Any, prototype: Any) -> Any:
    """``values`` as a torch tensor of the prototype's type, on its device."""
    import torch  # noqa: PLC0415  only models that take tensors need it

    return torch.from_numpy(np.array(to_array(values, numpy_type(prototype)))).to(prototype)


def numpy_type(tensor: Any) -> np.dtype[Any]:
    """The type by which values become ones of the tensor's."""
    try:
        dtype: np.dtype[Any] = tensor.detach().cpu().numpy().dtype
    except TypeError:  # bfloat16 and its like have no numpy type
        dtype = np.dtype(np.float32)
    return dtype


def batch_of(instances: Sequence[Any], prototype: Any, convert: Callable[[Any], Any]) -> Any:
    """``convert(instances)``, with rows of the prototype's shape.

    Raises
    ------
    InvalidInstances
        It names the rows that do not fit.
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
    """The error that names each row whose value ``convert`` refuses."""
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
