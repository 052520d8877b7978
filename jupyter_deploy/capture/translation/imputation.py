"""An exact graph of ``SimpleImputer`` for 64-bit numbers and texts, which ONNX Runtime's own operator does not take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .converters import NotTranslatable
from .writer import GraphWriter


def converters() -> dict[type, Callable[..., None]]:
    """The conversion functions by class, of the modules that this process has imported."""
    kind = getattr(sys.modules.get("sklearn.impute"), "SimpleImputer", None)
    return {} if kind is None else {kind: convert}


MISSING_TEXT = "\uffff"
"""Stands for a missing text: Unicode reserves it as no character."""


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add ``Where(missing, statistic, x)``; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    statistics = np.asarray(model.statistics_)
    texts = [type(one.type).__name__ == "StringTensorType" for one in operator.inputs]
    if not _is_nan(model.missing_values) or (not all(texts) and statistics.dtype.kind != "f"):
        raise NotTranslatable("SimpleImputer is translated for numbers or texts whose missing value is NaN")
    if all(texts) and not all(isinstance(one, str) for one in statistics.tolist()):
        raise NotTranslatable("SimpleImputer of texts must have texts to put in")
    if model.add_indicator or (not all(texts) and np.isnan(statistics).any()):
        raise NotTranslatable("SimpleImputer with an indicator, or of an empty column, cannot be translated")
    writer = GraphWriter(scope, container)
    names = [one.full_name for one in operator.inputs]
    table = writer.node("Concat", names, axis=1) if len(names) > 1 else names[0]
    if all(texts):
        options: dict[str, Any] = {"keys_strings": [MISSING_TEXT], "values_int64s": [1], "default_int64": 0}
        code = writer.node("LabelEncoder", [table], version=2, **options)
        missing = writer.node("Cast", [code], to=TensorProto.BOOL)
    else:
        missing = writer.node("IsNaN", [table])
    values = writer.constant("statistics", statistics.reshape(1, -1))
    writer.node("Where", [missing, values, table], operator.outputs[0].full_name, version=9)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))
