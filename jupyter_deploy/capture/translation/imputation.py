"""An exact graph of ``SimpleImputer`` for 64-bit numbers, which ONNX Runtime's own operator does not take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .converters import NotTranslatable


def converters() -> dict[type, Callable[..., None]]:
    """The conversion functions by class, of the modules that this process has imported."""
    kind = getattr(sys.modules.get("sklearn.impute"), "SimpleImputer", None)
    return {} if kind is None else {kind: convert}


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add ``Where(IsNaN(x), statistic, x)``; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    statistics = np.asarray(model.statistics_)
    if statistics.dtype.kind != "f" or not _is_nan(model.missing_values):
        raise NotTranslatable("SimpleImputer is translated for numbers whose missing value is NaN")
    if model.add_indicator or np.isnan(statistics).any():
        raise NotTranslatable("SimpleImputer with an indicator, or of an empty column, cannot be translated")
    names = [one.full_name for one in operator.inputs]
    if len(names) > 1:
        joined = scope.get_unique_variable_name("columns")
        container.add_node(
            "Concat", names, [joined], axis=1, op_version=13, name=scope.get_unique_operator_name("Join")
        )
        names = [joined]
    missing = scope.get_unique_variable_name("missing")
    values = scope.get_unique_variable_name("statistics")
    container.add_initializer(values, TensorProto.DOUBLE, [1, len(statistics)], statistics.tolist())
    container.add_node("IsNaN", names, [missing], op_version=13, name=scope.get_unique_operator_name("IsNaN"))
    output = [operator.outputs[0].full_name]
    name = scope.get_unique_operator_name("Where")
    container.add_node("Where", [missing, values, names[0]], output, op_version=9, name=name)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))
