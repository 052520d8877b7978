"""scikit-learn's gradient boosting by single trees: features of 32 bits, sums of 64 bits."""

from __future__ import annotations

from operator import methodcaller
from typing import Any

import numpy as np

from .boosted_trees import Ensemble, Link
from .converters import NotTranslatable
from .leaves import Tree
from .trees import tree_of

LIBRARY = "sklearn.ensemble"
CLASSES = ("GradientBoostingClassifier", "GradientBoostingRegressor")

_LINKS: dict[str, tuple[Link, float]] = {
    "IdentityLink": ("identity", 1.0),
    "LogitLink": ("sigmoid", 1.0),
    "HalfLogitLink": ("sigmoid", 2.0),
    "MultinomialLogit": ("softmax", 1.0),
}


def read(model: Any) -> Ensemble:
    """Read a fitted model. Raises NotTranslatable."""
    name = type(model.init_).__name__
    if name not in ("DummyClassifier", "DummyRegressor", "str"):
        raise NotTranslatable(f"gradient boosting that begins with a {name} cannot be translated")
    link, scale = _LINKS[type(vars(model)["_loss"].link).__name__]
    row = np.zeros((1, model.n_features_in_), np.float32)
    start = np.asarray(methodcaller("_raw_predict_init", row)(model), np.float64).reshape(-1)
    trees = [_tree(one.tree_, model.learning_rate) for stage in model.estimators_ for one in stage]
    return Ensemble(trees, start, link, scale, by_sum=True, single=True)


def _tree(tree: Any, learning_rate: float) -> Tree:
    read = tree_of(tree)
    read.values = (learning_rate * np.asarray(tree.value[:, 0, 0], np.float64)).tolist()
    return read
