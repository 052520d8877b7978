"""CatBoost's estimators, from their JSON document: features and borders of 32 bits, sums of 64 bits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .boosted_trees import Ensemble, Link
from .converters import NotTranslatable
from .leaves import Tree

LIBRARY = __name__.rpartition(".")[2]  # this module has the name of the library
CLASSES = ("CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")

_LINKS: dict[str, Link] = {
    "Logloss": "sigmoid",
    "CrossEntropy": "sigmoid",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "sigmoid by class",
    "Poisson": "exponential",
    "Tweedie": "exponential",
    "RMSE": "identity",
    "MAE": "identity",
    "MAPE": "identity",
    "Huber": "identity",
    "Quantile": "identity",
    "LogCosh": "identity",
    "Expectile": "identity",
}


def read(model: Any) -> Ensemble:
    """Read a fitted estimator of CatBoost. Raises NotTranslatable."""
    document = _document(model)
    features = document["features_info"]
    if set(features) - {"float_features"}:
        raise NotTranslatable("CatBoost's categories and texts cannot be translated; encode them in a pipeline")
    if "oblivious_trees" not in document:
        raise NotTranslatable("CatBoost's trees of another grow policy than SymmetricTree cannot be translated")
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    if loss not in _LINKS:
        raise NotTranslatable(f"CatBoost's loss '{loss}' cannot be translated")
    scale, bias = document["scale_and_bias"]
    last = np.atleast_1d(np.asarray(bias, np.float64))
    columns = {one["feature_index"]: one for one in features["float_features"]}
    trees = [
        _tree(one, columns, group, len(last), float(scale))
        for one in document["oblivious_trees"]
        for group in range(len(last))
    ]
    link = _LINKS[loss]
    return Ensemble(trees, np.zeros(len(last)), link, by_sum=link == "sigmoid", single=True, last=last)


def _document(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nbdeploy-catboost-") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return document


def _tree(
    document: Mapping[str, Any], columns: Mapping[int, Mapping[str, Any]], group: int, groups: int, scale: float
) -> Tree:
    """Read one tree for one group: each level has one split, and the leaf's number has a bit for each level.

    The first split is the lowest bit, which is 1 above the border.
    """
    splits = document["splits"]
    if any(one["split_type"] != "FloatFeature" for one in splits):
        raise NotTranslatable("CatBoost's splits by categories cannot be translated")
    tree = Tree()
    waiting = [(tree.add(), len(splits) - 1, 0)]
    while waiting:
        node, level, leaf = waiting.pop()
        if level < 0:
            tree.values[node] = scale * float(document["leaf_values"][leaf * groups + group])
            continue
        split = splits[level]
        column = columns[split["float_feature_index"]]
        left, right = tree.add(), tree.add()
        missing_left = column.get("nan_value_treatment") != "AsTrue"
        tree.split(node, column["flat_feature_index"], float(split["border"]), left, right, missing_left=missing_left)
        waiting += [(left, level - 1, leaf), (right, level - 1, leaf | 1 << level)]
    return tree
