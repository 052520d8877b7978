"""Exact graphs of decision trees and forests.

scikit-learn rounds each feature to 32 bits and compares it with a threshold of 64 bits. A graph with thresholds that
are rounded to nearest decides otherwise at some features, and its leaves have 32 bits. So:

- a threshold is rounded towards minus infinity: for a feature x of 32 bits ``x <= t`` holds if and only if
  ``x <= floor(t)`` does;
- ``TreeEnsembleRegressor`` gives the index of each tree's leaf, which 32 bits hold exactly below 2^24;
- the leaves' values are a table of 64-bit numbers, gathered by these indexes and averaged over the trees.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .converters import NotTranslatable

_MOST_LEAVES = 2**24


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


def floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round 64-bit numbers to 32 bits, towards minus infinity."""
    rounded = values.astype(np.float32)
    above = rounded.astype(np.float64) > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded


def shapes(operator: Any) -> None:
    """Set the types of the outputs, in 64 bits; the function of ``custom_shape_calculators`` of skl2onnx."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    model = operator.raw_operator
    rows = operator.inputs[0].get_first_dimension()
    if not hasattr(model, "classes_"):
        operator.outputs[0].type = DoubleTensorType([rows, 1])
        return
    numbers = np.asarray(model.classes_).dtype.kind in "iub"
    operator.outputs[0].type = (Int64TensorType if numbers else StringTensorType)([rows])
    operator.outputs[1].type = DoubleTensorType([rows, len(model.classes_)])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a tree or a forest; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    if getattr(model, "n_outputs_", 1) != 1:
        raise NotTranslatable("a tree with several outputs cannot be translated")
    trees = trees_of(model)
    attributes, tables = _attributes([tree.tree_ for tree in trees])
    offsets = np.cumsum([0, *(len(table) for table in tables[:-1])]).astype(np.int64)
    values = np.concatenate(tables)
    if len(values) >= _MOST_LEAVES:
        raise NotTranslatable(f"its {len(values):,} leaves are too many for an exact graph")

    def node(kind: str, inputs: Sequence[str], output: str | None = None, **more: Any) -> str:
        name = output or scope.get_unique_variable_name(kind.lower())
        domain = "ai.onnx.ml" if kind == "TreeEnsembleRegressor" else ""
        version = {"op_domain": domain, "op_version": 1 if domain else 13}
        container.add_node(kind, list(inputs), [name], name=scope.get_unique_operator_name(kind), **version, **more)
        return name

    def constant(name: str, kind: int, array: NDArray[Any]) -> str:
        unique: str = scope.get_unique_variable_name(name)
        container.add_initializer(unique, kind, list(array.shape), array.flatten().tolist())
        return unique

    rounded = node("Cast", [operator.inputs[0].full_name], to=TensorProto.FLOAT)
    leaves = node("TreeEnsembleRegressor", [rounded], n_targets=len(trees), **attributes)
    indexes = node("Cast", [leaves], to=TensorProto.INT64)
    rows = node("Add", [indexes, constant("offsets", TensorProto.INT64, offsets.reshape(1, -1))])
    gathered = node("Gather", [constant("leaves", TensorProto.DOUBLE, values), rows], axis=0)
    classifies = hasattr(model, "classes_")
    mean = operator.outputs[1 if classifies else 0].full_name
    node("ReduceMean", [gathered], mean, axes=[1], keepdims=0)
    if classifies:
        best = node("ArgMax", [mean], axis=1, keepdims=0)
        classes = np.asarray(model.classes_)
        if classes.dtype.kind in "iub":
            table = constant("classes", TensorProto.INT64, classes.astype(np.int64))
        elif classes.dtype.kind in "UO" and all(isinstance(one, str) for one in classes.tolist()):
            table = scope.get_unique_variable_name("classes")
            texts = [one.encode() for one in classes.tolist()]
            container.add_initializer(table, TensorProto.STRING, [len(texts)], texts)
        else:
            raise NotTranslatable(f"classes of type {classes.dtype} cannot be translated")
        node("Gather", [table, best], operator.outputs[0].full_name, axis=0)


def _attributes(trees: Sequence[Any]) -> tuple[dict[str, Any], list[NDArray[np.float64]]]:
    """The attributes of ``TreeEnsembleRegressor`` (ai.onnx.ml 1), and each tree's values by leaf."""
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "hitrates")
    nodes: dict[str, list[Any]] = {name: [] for name in (*names, "missing_value_tracks_true")}
    targets: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    tables = []
    for number, tree in enumerate(trees):
        leaf = tree.children_left < 0
        count = int(tree.node_count)
        nodes["treeids"] += [number] * count
        nodes["nodeids"] += range(count)
        nodes["featureids"] += np.where(leaf, 0, tree.feature).tolist()
        nodes["modes"] += ["LEAF" if one else "BRANCH_LEQ" for one in leaf]
        nodes["values"] += np.where(leaf, 0, floor32(np.asarray(tree.threshold, np.float64))).astype(float).tolist()
        nodes["truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
        nodes["falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
        nodes["hitrates"] += [1.0] * count
        missing = getattr(tree, "missing_go_to_left", np.zeros(count))
        nodes["missing_value_tracks_true"] += np.where(leaf, 0, missing).astype(int).tolist()
        leaves = np.flatnonzero(leaf)
        targets["treeids"] += [number] * len(leaves)
        targets["nodeids"] += leaves.tolist()
        targets["ids"] += [number] * len(leaves)
        targets["weights"] += [float(index) for index in range(len(leaves))]
        tables.append(np.asarray(tree.value[leaves, 0, :], np.float64))
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in targets.items()}
    return attributes | {"aggregate_function": "SUM", "post_transform": "NONE"}, tables
