"""Exact graphs of boosted trees: the values of the leaves are added one after the other, as their libraries add them.

A sum in another order differs in its last bits, and by a label where it is 0 in the original's order. ``CumSum`` of
ONNX Runtime adds from the first to the last.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from . import boosted, catboost, gradient, lightgbm, xgboost
from .boosted_trees import Ensemble
from .converters import NotTranslatable
from .leaves import add_leaves
from .writer import GraphWriter, classifies


def kinds() -> dict[type, ModuleType]:
    """The classes with an exact graph and the module that reads them, of the libraries that this process has imported.

    A reader names its ``LIBRARY`` and the ``CLASSES`` of it, and has ``read``; with ``columns`` it makes the matrix on
    which the trees decide.
    """
    return {
        kind: module
        for module in (boosted, catboost, gradient, lightgbm, xgboost)
        for name in module.CLASSES
        if (kind := getattr(sys.modules.get(module.LIBRARY), name, None)) is not None
    }


def read(model: Any) -> Ensemble:
    """Read the trees of an estimator of ``kinds``. Raises NotTranslatable."""
    ensemble: Ensemble = kinds()[type(model)].read(model)
    return ensemble


def number_columns(model: Any) -> dict[int, int]:
    """Return the columns of an estimator's input by the numbers that its trees have for those without categories."""
    categorical = getattr(model, "is_categorical_", None)
    if categorical is None:
        return {number: number for number in range(int(model.n_features_in_))}
    numbers = np.flatnonzero(~np.asarray(categorical)).tolist()
    return {len(categorical) - len(numbers) + place: column for place, column in enumerate(numbers)}


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of boosted trees; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    ensemble = read(model)
    writer = GraphWriter(scope, container)
    double = ensemble.start.dtype == np.float64
    module = kinds()[type(model)]
    table = module.columns(writer, operator) if hasattr(module, "columns") else writer.columns(operator)
    if ensemble.single or not double:
        table = writer.node("Cast", [table], to=TensorProto.FLOAT)
    sums = _sums(writer, table, ensemble)
    if not double:
        sums = writer.node("Cast", [sums], to=TensorProto.DOUBLE)
    answers = _linked(writer, sums, ensemble)
    if not double:  # an answer of 32 bits decides the label
        answers = writer.node("Cast", [writer.node("Cast", [answers], to=TensorProto.FLOAT)], to=TensorProto.DOUBLE)
    if not classifies(model):
        writer.node("Identity", [answers], operator.outputs[0].full_name)
        return
    one = writer.constant("one", np.ones(1))
    if ensemble.link == "sigmoid":
        answers = writer.node("Concat", [writer.node("Sub", [one, answers]), answers], axis=1)
    probabilities = writer.node("Identity", [answers], operator.outputs[1].full_name)
    scores = probabilities
    if ensemble.by_sum:
        scores = writer.beside_zero(sums) if len(ensemble.start) == 1 else sums
    writer.labels(np.asarray(model.classes_), scores, operator.outputs[0].full_name)


def _sums(writer: GraphWriter, table: str, ensemble: Ensemble) -> str:
    """Add the sums: n rows by one column a group."""
    start, groups = ensemble.start, len(ensemble.start)
    if not ensemble.trees:
        raise NotTranslatable("it has no trees")
    values = np.concatenate([np.asarray(tree.values)[tree.leaves] for tree in ensemble.trees]).astype(start.dtype)
    double = start.dtype == np.float64 and not ensemble.single
    indexes = add_leaves(writer, table, ensemble.trees, double=double)
    gathered = writer.node("Gather", [writer.constant("leaves", values), indexes], axis=0)
    shape = writer.constant("shape", np.array([-1, len(ensemble.trees) // groups, groups], np.int64))
    by_group = writer.node("Reshape", [gathered, shape])
    # The first summand, once for each row: a slice of the values that is replaced.
    first = writer.node("Slice", [by_group, *(
        writer.constant(name, np.array([value], np.int64)) for name, value in (("from", 0), ("to", 1), ("axis", 1))
    )])  # fmt: skip
    nothing = writer.node("Mul", [first, writer.constant("zero", np.zeros(1, start.dtype))])
    begun = writer.node("Add", [nothing, writer.constant("start", start.reshape(1, 1, -1))])
    joined = writer.node("Concat", [begun, by_group], axis=1)
    running = writer.node("CumSum", [joined, writer.constant("axis", np.array(1, np.int64))], version=14)
    sums = writer.node("Gather", [running, writer.constant("last", np.array(-1, np.int64))], axis=1)
    if ensemble.divisor != 1:
        sums = writer.node("Div", [sums, writer.constant("divisor", np.array([ensemble.divisor], start.dtype))])
    if ensemble.last is not None:
        sums = writer.node("Add", [sums, writer.constant("last", ensemble.last.reshape(1, -1))])
    return sums


def _linked(writer: GraphWriter, sums: str, ensemble: Ensemble) -> str:
    if ensemble.link == "exponential":
        return writer.node("Exp", [sums])
    if ensemble.link == "softmax":
        return writer.node("Softmax", [sums], axis=1)
    if ensemble.link == "signed square":
        return writer.node("Mul", [sums, writer.node("Abs", [sums])])
    if ensemble.link == "identity":
        return sums
    scaled = writer.node("Mul", [sums, writer.constant("scale", np.array([-ensemble.scale]))])
    one = writer.constant("one", np.ones(1))
    return writer.node("Div", [one, writer.node("Add", [one, writer.node("Exp", [scaled])])])
