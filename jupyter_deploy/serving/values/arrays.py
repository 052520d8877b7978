"""JSON values as numpy arrays and torch tensors of the type that the model was shown; never a silent wrap-around."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .validation import MOST_ERRORS, InvalidInstances, Location


class Unfit(ValueError):
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
    wanted = np.dtype(dtype)
    try:
        with np.errstate(over="ignore"):  # looked for below
            array = _cast(values, wanted)
    except Unfit:
        raise
    except OverflowError as error:
        raise Unfit(f"is out of the range of {wanted}") from error
    except (ValueError, TypeError) as error:
        if "inhomogeneous" in str(error):  # numpy's word
            raise Unfit("holds lists of different lengths; they must be of one: pad the shorter ones") from error
        raise Unfit(f"does not fit {wanted}: {error}") from error
    if wanted.kind == "f" and np.isinf(array).any():
        raise Unfit(f"is out of the range of {wanted}")
    return array


def _cast(values: Any, wanted: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Without what numpy does in silence: cut off fractions and long texts, turn None into False or ``'None'``."""
    natural = np.asarray(values)
    match wanted.kind:
        case "i" | "u":
            if natural.dtype.kind == "f" and not np.equal(np.mod(natural, 1), 0).all():
                raise Unfit("must be a whole number")
        case "b" | "U" if natural.size and natural.dtype.kind != wanted.kind:
            raise Unfit(f"must be {'true or false' if wanted.kind == 'b' else 'a string'}")
        case "S":  # base64: see to_json
            texts = np.asarray(values, dtype=object)
            return np.asarray(np.frompyfunc(unencoded, 1, 1)(texts)).astype("S")
        case "U":  # long enough for these texts, not only for the example's
            return natural.astype(max(natural.dtype, wanted, key=lambda dtype: dtype.itemsize))
        case "M":
            moments = np.asarray(values, dtype="datetime64")
            array = moments.astype(wanted)
            if not (np.isnat(moments) | (array.astype(moments.dtype) == moments)).all():
                raise Unfit(f"is out of the range of {wanted}")
            return array
        case "m":  # as seconds: see to_json
            return np.asarray(np.asarray(values, dtype=np.float64) * 1e9).round().astype("m8[ns]").astype(wanted)
        case _:
            pass
    return np.asarray(values, dtype=wanted)


def unencoded(text: str) -> bytes:
    """The bytes that are written in base64.

    Raises
    ------
    Unfit
        They are not.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Unfit("must be base64") from error


def to_tensor(values: Any, prototype: Any) -> Any:
    """``values`` as a torch tensor of the prototype's type, on its device."""
    import torch  # only models that take tensors need it

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
    except Unfit as unfit:
        raise blame(instances, lambda row: convert([row]), unfit) from unfit
    if tuple(batch.shape[1:]) != shape:
        message = f"must have the shape {list(shape)}, not {list(batch.shape[1:])}"
        raise InvalidInstances([{"loc": ["instances", 0], "msg": message}])
    return batch


def blame(values: Sequence[Any], convert: Callable[[Any], Any], unfit: Unfit, *key: str) -> InvalidInstances:
    """The error that names each row whose value ``convert`` refuses."""
    errors: list[dict[str, Any]] = []
    for row, value in enumerate(values):
        try:
            convert(value)
        except Unfit as reason:
            loc: Location = ["instances", row, *key, *reason.loc]
            errors.append({"loc": loc, "msg": str(reason)})
            if len(errors) == MOST_ERRORS:
                break
    return InvalidInstances(errors or [{"loc": ["instances", *key], "msg": str(unfit)}])
