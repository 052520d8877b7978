"""scikit-learn's histogram boosters: thresholds and sums of 64 bits; categories are encoded before the trees."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np

from .boosted_trees import Ensemble, Link
from .converters import NotTranslatable
from .leaves import Tree, runs_of
from .writer import GraphWriter

LIBRARY = "sklearn.ensemble"
CLASSES = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")

_LINKS: dict[str, Link] = {
    "IdentityLink": "identity",
    "LogLink": "exponential",
    "LogitLink": "sigmoid",
    "MultinomialLogit": "softmax",
}


def read(model: Any) -> Ensemble:
    """Read a fitted booster. Raises NotTranslatable."""
    state = vars(model)  # a fitted booster has its trees in private attributes alone
    link = type(state["_loss"].link).__name__
    if link not in _LINKS:
        raise NotTranslatable(f"its loss has the link {link}, which cannot be translated")
    encoder = _encoder(model)
    counts = [len(_without_missing(one)) for one in encoder.categories_] if encoder is not None else []
    start = np.asarray(state["_baseline_prediction"], np.float64).reshape(-1)
    trees = [_tree(one, counts) for iteration in state["_predictors"] for one in iteration]
    return Ensemble(trees, start, _LINKS[link], by_sum=True)


def _tree(predictor: Any, counts: list[int]) -> Tree:
    """Read one tree. ``counts``: the number of categories of the first features, which have codes from 0."""
    nodes = predictor.nodes
    tree = Tree()
    for _ in range(len(nodes)):
        tree.add()
    for number, node in enumerate(nodes):
        if node["is_leaf"]:
            tree.values[number] = float(node["value"])
            continue
        feature, left, right = int(node["feature_idx"]), int(node["left"]), int(node["right"])
        missing_left = bool(node["missing_go_to_left"])
        if not node["is_categorical"]:
            tree.split(number, feature, float(node["num_threshold"]), left, right, missing_left=missing_left)
            continue
        bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
        chosen = [code for code in range(counts[feature]) if bits[code // 32] >> (code % 32) & 1]
        runs, last = runs_of(chosen, counts[feature], left, right)
        missing = (-0.5, left if missing_left else right)
        tree.split_by_set(number, feature, [(code + 0.5, target) for code, target in runs], last, missing)
    return tree


def columns(writer: GraphWriter, operator: Any) -> str:
    """Add the matrix that the trees decide on: the codes of the categories, then the numbers."""
    model = operator.raw_operator
    encoder = _encoder(model)
    if encoder is None:
        return writer.columns(operator)
    categorical = np.flatnonzero(np.asarray(model.is_categorical_))
    every = _columns(writer, operator, model.n_features_in_)
    parts = [
        _codes(writer, *every[column], _without_missing(known))
        for column, known in zip(categorical, encoder.categories_, strict=True)
    ]
    for column, (name, text) in enumerate(every):
        if column in categorical:
            continue
        if text:
            raise NotTranslatable(f"its column {column} has texts that are no categories")
        parts.append(name)
    return writer.node("Concat", parts, axis=1)


def _columns(writer: GraphWriter, operator: Any, width: int) -> list[tuple[str, bool]]:
    """Return each column's name in the graph, and whether it has texts."""
    if len(operator.inputs) == width:
        return [(one.full_name, type(one.type).__name__ == "StringTensorType") for one in operator.inputs]
    whole = writer.columns(operator)
    positions = [writer.constant("column", np.array([number], np.int64)) for number in range(width)]
    return [(writer.node("Gather", [whole, position], axis=1), False) for position in positions]


def _codes(writer: GraphWriter, column: str, text: bool, known: Any) -> str:
    """Add the code of each value, its position among the known ones; not-a-number: it is none of them."""
    from onnx import TensorProto

    if text:
        if not all(isinstance(one, str) for one in known.tolist()):
            raise NotTranslatable("it has categories that are no texts")
        codes = writer.node(
            "LabelEncoder",
            [column],
            version=2,
            keys_strings=known.tolist(),
            values_floats=[float(code) for code in range(len(known))],
            default_float=float("nan"),
        )
        return writer.node("Cast", [codes], to=TensorProto.DOUBLE)
    equal = writer.node("Equal", [column, writer.constant("categories", np.asarray(known, np.float64).reshape(1, -1))])
    number = writer.constant("codes", np.arange(1.0, len(known) + 1).reshape(-1, 1))
    found = writer.node("MatMul", [writer.node("Cast", [equal], to=TensorProto.DOUBLE), number])
    nothing = writer.node("Equal", [found, writer.constant("zero", np.zeros(1))])
    code = writer.node("Sub", [found, writer.constant("one", np.ones(1))])
    return writer.node("Where", [nothing, writer.constant("missing", np.array([np.nan])), code])


def _encoder(model: Any) -> Any:
    preprocessor = vars(model)["_preprocessor"]
    return None if preprocessor is None else preprocessor.named_transformers_["encoder"]


def _without_missing(known: Any) -> Any:
    values = [one for one in known.tolist() if one is not None and not (isinstance(one, float) and isnan(one))]
    return np.array(values, dtype=known.dtype)
