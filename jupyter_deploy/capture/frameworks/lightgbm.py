"""LightGBM: boosters of ``lightgbm.train`` and the estimators around them; stored as LightGBM's text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .base import NativeWriter, loaded
from .boosters import Boosted, BoosterFiles, Unwritable
from .parameters import as_json


class LightGBM(Boosted):
    """``Booster`` and ``LGBMModel``."""

    name = "lightgbm"
    containers = frozenset({"lightgbm.Dataset"})
    wrappers = frozenset({"Dataset"})

    def base_of(self, model: Any) -> type | None:
        """The library's own class, nearer than scikit-learn's."""
        bases: tuple[type | None, ...] = (loaded("lightgbm", "Booster"), loaded("lightgbm", "LGBMModel"))
        return next((base for base in bases if base is not None and isinstance(model, base)), None)

    def features(self, model: Any) -> tuple[str, ...] | None:
        """The columns; those of an array, which LightGBM numbers, have no names."""
        booster = model if hasattr(model, "feature_name") else model.booster_
        names = tuple(booster.feature_name())
        return None if all(re.fullmatch(r"Column_\d+", name) for name in names) else names

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """An estimator's own, or what ``train`` was given."""
        if hasattr(model, "get_params"):
            return super().hyperparameters(model)
        return {name: as_json(value) for name, value in {**model.params, "num_trees": model.num_trees()}.items()}

    def native_writer(self, folder: Path) -> NativeWriter | None:
        """A writer of boosters, also of those inside estimators and pipelines."""
        booster = loaded("lightgbm", "Booster")
        return None if booster is None else BoosterFiles(folder, "lightgbm", "txt", (booster,), _write)


def _write(booster: Any, path: Path) -> tuple[Any, ...]:
    """All trees, also those after the best iteration: the state next to them selects those that answer."""
    state = booster.__getstate__()
    model = state.pop("_handle", None)
    if model is None:
        raise Unwritable
    path.write_text(model, "utf-8")
    return (state,)
