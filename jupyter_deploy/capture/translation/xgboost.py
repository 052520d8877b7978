"""XGBoost's estimators, from their JSON document: features, thresholds and sums of 32 bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .boosted_trees import Ensemble, Link
from .converters import NotTranslatable
from .leaves import Tree

LIBRARY = __name__.rpartition(".")[2]  # this module has the name of the library
CLASSES = ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")

_LINKS: dict[str, Link] = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "count:poisson": "exponential",
    "reg:gamma": "exponential",
    "reg:tweedie": "exponential",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "rank:ndcg": "identity",
    "rank:map": "identity",
    "rank:pairwise": "identity",
}


def read(model: Any) -> Ensemble:
    """Read a fitted estimator of XGBoost. Raises NotTranslatable."""
    booster = model.get_booster()
    best = getattr(model, "best_iteration", None) if model.early_stopping_rounds is not None else None
    booster = booster[: best + 1] if best is not None else booster
    learner = json.loads(booster.save_raw("json"))["learner"]
    forest = learner["gradient_booster"]
    if forest["name"] != "gbtree":
        raise NotTranslatable(f"XGBoost's booster '{forest['name']}' cannot be translated")
    objective = learner["objective"]["name"]
    if objective not in _LINKS:
        raise NotTranslatable(f"XGBoost's objective '{objective}' cannot be translated")
    trees, groups = forest["model"]["trees"], forest["model"]["tree_info"]
    count = max(groups, default=0) + 1
    order = np.argsort(_places(groups), kind="stable")
    link = _LINKS[objective]
    start = _margin(learner["learner_model_param"]["base_score"], link, count)
    missing = getattr(model, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        raise NotTranslatable(f"XGBoost with {missing} as the missing value cannot be translated")
    return Ensemble([_tree(trees[number]) for number in order], start, link)


def _places(groups: list[int]) -> list[int]:
    """Return the position of each tree in an order by turns of the groups.

    Raises
    ------
    NotTranslatable
        The groups have not the same number of trees.
    """
    seen: dict[int, int] = {}
    places: list[int] = []
    for group in groups:
        places.append(seen.get(group, 0) * (max(groups) + 1) + group)
        seen[group] = seen.get(group, 0) + 1
    if len(set(seen.values())) > 1:
        raise NotTranslatable("XGBoost's classes have different numbers of trees")
    return places


def _margin(base_score: str, link: Link, groups: int) -> Any:
    """Return the first summand of each group in 32 bits: the base score before the link."""
    scores = np.array([float(one) for one in base_score.strip("[]").split(",")], np.float32)
    if link == "sigmoid":
        scores = -np.log(np.float32(1) / scores - np.float32(1))
    elif link == "exponential":
        scores = np.log(scores)
    return np.broadcast_to(scores, (groups,)).astype(np.float32)


def _tree(document: dict[str, Any]) -> Tree:
    """Read one tree. XGBoost goes left below the threshold: at most at the number before it in 32 bits."""
    if any(document["split_type"]):
        raise NotTranslatable("XGBoost's categories cannot be translated; encode them in a pipeline")
    if int(document["tree_param"]["size_leaf_vector"]) > 1:
        raise NotTranslatable("XGBoost's trees of vectors cannot be translated")
    conditions = np.array(document["split_conditions"], np.float32)
    below = np.nextafter(conditions, np.float32(-np.inf))
    return Tree(
        feature=document["split_indices"],
        threshold=below.astype(float).tolist(),
        left=document["left_children"],
        right=document["right_children"],
        missing_left=[bool(one) for one in document["default_left"]],
        values=conditions.astype(float).tolist(),
    )
