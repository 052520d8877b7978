"""Graphs of linear classifiers that answer labels alone, which skl2onnx cannot make in 64 bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .converters import NotTranslatable
from .writer import GraphWriter

_CLASSES = {"sklearn.svm": ("LinearSVC",), "sklearn.linear_model": ("RidgeClassifier", "RidgeClassifierCV")}


def converters() -> dict[type, Callable[..., None]]:
    """The conversion functions by class, of the modules that this process has imported."""
    return {
        kind: convert
        for module, names in _CLASSES.items()
        for name in names
        if (kind := getattr(sys.modules.get(module), name, None)) is not None
    }


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the scores and the label; the function of ``custom_conversion_functions`` of skl2onnx."""
    model = operator.raw_operator
    if np.asarray(model.classes_).ndim != 1 or np.asarray(model.coef_).dtype != np.float64:
        raise NotTranslatable(f"{type(model).__name__} of several labels, or in 32 bits, cannot be translated")
    writer = GraphWriter(scope, container)
    coefficients = writer.constant("coefficients", np.atleast_2d(model.coef_).T)
    products = writer.node("MatMul", [writer.columns(operator), coefficients])
    scores = writer.node("Add", [products, writer.constant("intercepts", np.reshape(model.intercept_, (1, -1)))])
    if len(model.classes_) == 2:
        scores = writer.beside_zero(scores)
    scores = writer.node("Identity", [scores], operator.outputs[1].full_name)
    writer.labels(np.asarray(model.classes_), scores, operator.outputs[0].full_name)
