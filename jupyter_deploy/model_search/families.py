"""The families of models: their parameters, and the expression of an unfitted model in the notebook's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_deploy.domain.model_search.search import Task

Value = int | float | str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a family: whole or real numbers of a range, mostly on a logarithmic scale.

    Attributes
    ----------
    start
        The value of the first trial, which is cheap.
    """

    name: str
    kind: Literal["int", "float"]
    low: float
    high: float
    start: Value
    log: bool = True

    def rounded(self, value: Any) -> Value:
        """Return the value as the notebook has it: real numbers with four digits."""
        return int(value) if self.kind == "int" else float(f"{float(value):.4g}")


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes
    ----------
    estimator
        The class for classes, and that for numbers.
    module
        Of both.
    fixed
        Arguments of every model; ``SEED`` stands for the seed.
    features
        ``linear``: scaled numbers, categories as columns of 0 and 1; ``tree``: categories as codes.
    """

    name: str
    estimator: Mapping[Task, str]
    module: str
    parameters: Mapping[Task, tuple[Parameter, ...]]
    features: Literal["linear", "tree"]
    fixed: Mapping[Task, str] = field(default_factory=dict)

    def start(self, task: Task) -> dict[str, Value]:
        """Return the parameters of the first trial."""
        return {one.name: one.start for one in self.parameters[task]}

    def model(self, task: Task, values: Mapping[str, Any], seed: int) -> str:
        """Return the expression of the bare model."""
        given = [f"{one.name}={one.rounded(values[one.name])!r}" for one in self.parameters[task]]
        fixed = self.fixed.get(task, "").replace("SEED", str(seed))
        return f"{self.estimator[task]}({', '.join([*given, *([fixed] if fixed else [])])})"


def _both(*parameters: Parameter) -> dict[Task, tuple[Parameter, ...]]:
    return {"classification": parameters, "regression": parameters}


def _fixed(words: str) -> dict[Task, str]:
    return {"classification": words, "regression": words}


_TREES = _both(
    Parameter("n_estimators", "int", 20, 500, 50),
    Parameter("max_features", "float", 0.1, 1.0, 0.5, log=False),
    Parameter("min_samples_leaf", "int", 1, 64, 2),
)

FAMILIES = (
    Family(
        "linear",
        {"classification": "LogisticRegression", "regression": "Ridge"},
        "sklearn.linear_model",
        {
            "classification": (Parameter("C", "float", 1e-4, 1e4, 1.0),),
            "regression": (Parameter("alpha", "float", 1e-4, 1e4, 1.0),),
        },
        "linear",
        {"classification": "max_iter=5000"},
    ),
    Family(
        "lightgbm",
        {"classification": "LGBMClassifier", "regression": "LGBMRegressor"},
        "lightgbm",
        _both(
            Parameter("n_estimators", "int", 20, 1000, 50),
            Parameter("learning_rate", "float", 0.01, 0.5, 0.1),
            Parameter("num_leaves", "int", 4, 256, 16),
            Parameter("min_child_samples", "int", 2, 100, 20),
            Parameter("colsample_bytree", "float", 0.3, 1.0, 1.0, log=False),
            Parameter("reg_lambda", "float", 1e-4, 100.0, 1e-4),
        ),
        "tree",
        _fixed("n_jobs=1, random_state=SEED, deterministic=True, force_row_wise=True, verbose=-1"),
    ),
    Family(
        "forest",
        {"classification": "RandomForestClassifier", "regression": "RandomForestRegressor"},
        "sklearn.ensemble",
        _TREES,
        "tree",
        _fixed("random_state=SEED"),
    ),
    Family(
        "extra_trees",
        {"classification": "ExtraTreesClassifier", "regression": "ExtraTreesRegressor"},
        "sklearn.ensemble",
        _TREES,
        "tree",
        _fixed("random_state=SEED"),
    ),
    Family(
        "boosting",
        {"classification": "HistGradientBoostingClassifier", "regression": "HistGradientBoostingRegressor"},
        "sklearn.ensemble",
        _both(
            Parameter("max_iter", "int", 20, 500, 50),
            Parameter("learning_rate", "float", 0.01, 0.5, 0.1),
            Parameter("max_leaf_nodes", "int", 4, 128, 16),
            Parameter("min_samples_leaf", "int", 2, 100, 20),
            Parameter("l2_regularization", "float", 1e-4, 100.0, 1e-4),
        ),
        "tree",
        _fixed("random_state=SEED, early_stopping=False"),
    ),
)

BY_NAME = {family.name: family for family in FAMILIES}
