"""An exact graph of ``OneHotEncoder``: 64-bit numbers also where it comes first, and missing texts as a category."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .converters import NotTranslatable
from .imputation import MISSING_TEXT
from .writer import GraphWriter


def kind() -> type | None:
    """The encoder's class, if this process has imported it."""
    found: type | None = getattr(sys.modules.get("sklearn.preprocessing"), "OneHotEncoder", None)
    return found


def texts_of(categories: NDArray[Any]) -> list[str]:
    """Return the categories of a column as the graph's texts; a missing one is ``MISSING_TEXT``.

    Raises
    ------
    NotTranslatable
        A category is neither a text nor missing.
    """
    texts = [MISSING_TEXT if _is_missing(one) else one for one in categories.tolist()]
    if not all(isinstance(one, str) for one in texts) or len(set(texts)) < len(texts):
        raise NotTranslatable("an encoder's categories must be all texts, or all numbers")
    return texts


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add a column of 0 and 1 for each category; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    if getattr(model, "_infrequent_enabled", False):
        raise NotTranslatable("OneHotEncoder with infrequent categories cannot be translated")
    writer = GraphWriter(scope, container)
    parts: list[str] = []
    for (values, is_text), kept in zip(_columns(writer, operator), _kept(model), strict=True):
        categories = np.asarray(model.categories_[len(parts)])
        if is_text:
            texts = texts_of(categories)
            options: dict[str, Any] = {"keys_strings": texts, "values_int64s": list(range(len(texts)))}
            codes = writer.node("LabelEncoder", [values], version=2, default_int64=-1, **options)
            wanted: NDArray[Any] = np.flatnonzero(kept).astype(np.int64)
        else:
            numbers = categories.astype(np.float64)
            if np.isnan(numbers).any():
                raise NotTranslatable("OneHotEncoder with a missing number as a category cannot be translated")
            codes, wanted = values, numbers[kept]
        equal = writer.node("Equal", [codes, writer.constant("categories", wanted.reshape(1, -1))])
        parts.append(writer.node("Cast", [equal], to=TensorProto.DOUBLE))
    writer.node("Concat", parts, operator.outputs[0].full_name, axis=1)


def set_types(operator: Any) -> None:
    """Set the type of the encoder's output; a function of ``custom_shape_calculators`` of skl2onnx."""
    from skl2onnx.common.data_types import DoubleTensorType

    width = sum(int(kept.sum()) for kept in _kept(operator.raw_operator))
    operator.outputs[0].type = DoubleTensorType([operator.inputs[0].get_first_dimension(), width])


def _columns(writer: GraphWriter, operator: Any) -> Iterator[tuple[str, bool]]:
    """Yield the name of each column, n rows by 1, and whether it has texts."""
    for one in operator.inputs:
        is_text = type(one.type).__name__ == "StringTensorType"
        width = int(one.type.shape[1])
        for place in range(width):
            if width == 1:
                yield one.full_name, is_text
                continue
            index = writer.constant("column", np.array([place], np.int64))
            yield writer.node("Gather", [one.full_name, index], axis=1), is_text


def _kept(model: Any) -> Iterator[NDArray[np.bool_]]:
    """Yield which categories of each column have a column of the answer."""
    dropped = getattr(model, "drop_idx_", None)
    for column, categories in enumerate(model.categories_):
        kept = np.ones(len(categories), bool)
        if dropped is not None and dropped[column] is not None:
            kept[dropped[column]] = False
        yield kept


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))
