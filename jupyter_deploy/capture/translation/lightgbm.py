"""LightGBM's estimators, from their dumped trees: thresholds and sums of 64 bits."""

from __future__ import annotations

import re
from math import inf, nextafter
from typing import Any

import numpy as np

from .boosted_trees import Ensemble, Link
from .converters import NotTranslatable
from .leaves import Tree, runs_of

LIBRARY = __name__.rpartition(".")[2]  # this module has the name of the library
CLASSES = ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")

_IDENTITY = {
    "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"
}  # fmt: skip
_ZERO = float(np.float32(1e-35))
"""LightGBM takes absolute values up to this one for 0 (its ``kZeroThreshold``)."""


def read(model: Any) -> Ensemble:
    """Read a fitted estimator of LightGBM. Raises NotTranslatable."""
    dump = model.booster_.dump_model()
    if dump.get("pandas_categorical"):
        raise NotTranslatable("LightGBM's categories of a data frame cannot be translated; encode them in a pipeline")
    groups = int(dump["num_tree_per_iteration"])
    trees = [_tree(one["tree_structure"]) for one in dump["tree_info"]]
    link, scale = _link(dump["objective"] if isinstance(dump.get("objective"), str) else "custom")
    divisor = len(trees) // groups if dump.get("average_output") else 1
    return Ensemble(trees, np.zeros(groups), link, scale, float(divisor))


def _link(objective: str) -> tuple[Link, float]:
    """Return the link of an objective such as ``binary sigmoid:1``, and the scale of its sigmoid."""
    name, *options = objective.split()
    found = re.search(r"sigmoid:(\S+)", objective)
    if name in ("binary", "cross_entropy"):
        return "sigmoid", float(found[1]) if found else 1.0
    if name == "multiclassova":
        return "sigmoid by class", float(found[1]) if found else 1.0
    if name == "multiclass":
        return "softmax", 1.0
    if name in ("poisson", "gamma", "tweedie"):
        return "exponential", 1.0
    if name in _IDENTITY:
        return ("signed square" if "sqrt" in options else "identity"), 1.0
    raise NotTranslatable(f"LightGBM's objective '{name}' cannot be translated")


def _tree(structure: dict[str, Any]) -> Tree:
    tree = Tree()
    waiting = [(tree.add(), structure)]
    while waiting:
        number, node = waiting.pop()
        if "split_feature" not in node:
            if "leaf_coeff" in node:
                raise NotTranslatable("LightGBM's linear trees cannot be translated")
            tree.values[number] = float(node["leaf_value"])
            continue
        left, right = tree.add(), tree.add()
        waiting += [(left, node["left_child"]), (right, node["right_child"])]
        if node["decision_type"] == "==":
            _split_by_categories(tree, number, node, (left, right))
            continue
        threshold = _threshold(float(node["threshold"]))
        tree.split(
            number, int(node["split_feature"]), threshold, left, right, missing_left=_missing_left(node, threshold)
        )
    return tree


def _threshold(value: float) -> float:
    """Return the threshold by which numbers next to 0 decide as 0 does."""
    if -_ZERO <= value < 0:
        return nextafter(-_ZERO, -inf)
    return max(value, _ZERO) if value >= 0 else value


def _missing_left(node: dict[str, Any], threshold: float) -> bool:
    """Return whether a missing value goes left: by the node's default, or as 0 does."""
    as_zero = threshold >= 0
    if node["missing_type"] == "None":
        return as_zero
    default = bool(node["default_left"])
    if node["missing_type"] == "Zero" and (default != as_zero or abs(threshold) <= nextafter(_ZERO, inf)):
        raise NotTranslatable("LightGBM's zero_as_missing cannot be translated")
    return default


def _split_by_categories(tree: Tree, number: int, node: dict[str, Any], targets: tuple[int, int]) -> None:
    """Add a decision by a set of categories: numbers are truncated to codes; all others go right."""
    left, right = targets
    chosen = [int(code) for code in str(node["threshold"]).split("||")]
    runs, last = runs_of(chosen, max(chosen) + 2, left, right)
    below = [(nextafter(code + 1.0, -inf), target) for code, target in runs]
    tree.split_by_set(number, int(node["split_feature"]), below, last, (-1.0, right))
