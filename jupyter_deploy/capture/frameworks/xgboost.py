"""XGBoost: boosters of ``xgboost.train`` and the estimators around them; stored as UBJ, its JSON in binary form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .base import NativeWriter, loaded
from .boosters import Boosted, BoosterFiles, Unwritable
from .parameters import as_json


class XGBoost(Boosted):
    """``Booster`` and ``XGBModel``."""

    name = "xgboost"
    containers = frozenset({"xgboost.DMatrix", "xgboost.QuantileDMatrix"})
    wrappers = frozenset({"DMatrix", "QuantileDMatrix"})

    def base_of(self, model: Any) -> type | None:
        """The library's own class, nearer than scikit-learn's."""
        bases: tuple[type | None, ...] = (loaded("xgboost.core", "Booster"), loaded("xgboost.sklearn", "XGBModel"))
        return next((base for base in bases if base is not None and isinstance(model, base)), None)

    def features(self, model: Any) -> tuple[str, ...] | None:
        """The columns of the DMatrix or the frame."""
        names = getattr(_booster(model), "feature_names", None)
        return None if names is None else tuple(map(str, names))

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """An estimator's own; of a booster its configuration, all values of which XGBoost keeps as text."""
        if _booster(model) is not model:
            return super().hyperparameters(model)
        learner = json.loads(model.save_config())["learner"]
        trees = learner["gradient_booster"]
        found = learner["learner_train_param"] | trees.get("tree_train_param", {}) | trees.get("gbtree_train_param", {})
        found["num_boost_round"] = model.num_boosted_rounds()
        found["seed"] = learner["generic_param"].get("seed", "0")
        return {name: as_json(value) for name, value in sorted(found.items())}

    def hint(self, error: Exception, container: str) -> str | None:
        """Names of columns are what XGBoost insists on."""
        if container == "array" and "feature names" in str(error):
            return "it was fitted on named columns: give rows of a data frame that has them, such as X_test[:5]"
        return super().hint(error, container)

    def native_writer(self, folder: Path) -> NativeWriter | None:
        """A writer of boosters, also of those inside estimators and pipelines."""
        booster = loaded("xgboost.core", "Booster")
        return None if booster is None else BoosterFiles(folder, "xgboost", "ubj", (booster,), _write)


def _booster(model: Any) -> Any:
    return model.get_booster() if hasattr(model, "get_booster") else model


def _write(booster: Any, path: Path) -> tuple[Any, ...]:
    """The state that is not XGBoost's own, and the number of threads, which is not in the model's file."""
    if booster.handle is None or booster.num_features() == 0:
        raise Unwritable
    booster.save_model(path)
    state = {name: value for name, value in vars(booster).items() if name != "handle"}
    threads = int(json.loads(booster.save_config())["learner"]["generic_param"].get("nthread", 0))
    return state, threads
