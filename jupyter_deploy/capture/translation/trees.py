"""Exact graphs of decision trees and forests.

scikit-learn rounds each feature to 32 bits and compares it with a threshold of 64 bits. A graph with thresholds that
are rounded to nearest decides otherwise at some features, and its leaves have 32 bits. So a threshold is rounded
towards minus infinity: for a feature x of 32 bits ``x <= t`` holds if and only if ``x <= floor(t)`` does. The values of
the leaves are gathered in 64 bits (``leaves``) and averaged over the trees.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .converters import NotTranslatable
from .leaves import Tree, add_leaves, floor32
from .writer import GraphWriter

_KINDS = {
    "sklearn.tree": ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    "sklearn.ensemble": (
        "RandomForestClassifier",
        "RandomForestRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
    ),
}


def exact_kinds() -> list[type]:
    """The classes that have an exact graph, of the modules that this process has imported."""
    kinds = (getattr(sys.modules.get(module), name, None) for module, names in _KINDS.items() for name in names)
    return [kind for kind in kinds if kind is not None]


def trees_of(model: Any) -> Sequence[Any]:
    """The trees of a decision tree or a forest; none: it is another model."""
    if type(model) not in exact_kinds():
        return ()
    return model.estimators_ if hasattr(model, "estimators_") else [model]


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a tree or a forest; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    if getattr(model, "n_outputs_", 1) != 1:
        raise NotTranslatable("a tree with several outputs cannot be translated")
    writer = GraphWriter(scope, container)
    found = [tree.tree_ for tree in trees_of(model)]
    rounded = writer.node("Cast", [writer.columns(operator)], to=TensorProto.FLOAT)
    indexes = add_leaves(writer, rounded, [tree_of(one) for one in found], double=False)
    values = np.concatenate([np.asarray(one.value[one.children_left < 0, 0, :], np.float64) for one in found])
    gathered = writer.node("Gather", [writer.constant("leaves", values), indexes], axis=0)
    classifies = hasattr(model, "classes_")
    mean = operator.outputs[1 if classifies else 0].full_name
    writer.node("ReduceMean", [gathered], mean, axes=[1], keepdims=0)
    if classifies:
        writer.labels(np.asarray(model.classes_), mean, operator.outputs[0].full_name)


def tree_of(tree: Any) -> Tree:
    """Read a tree of scikit-learn for features of 32 bits; without the leaves' values."""
    count = int(tree.node_count)
    return Tree(
        feature=tree.feature.tolist(),
        threshold=floor32(np.asarray(tree.threshold, np.float64)).astype(float).tolist(),
        left=tree.children_left.tolist(),
        right=tree.children_right.tolist(),
        missing_left=np.asarray(getattr(tree, "missing_go_to_left", np.zeros(count))).astype(bool).tolist(),
    )
