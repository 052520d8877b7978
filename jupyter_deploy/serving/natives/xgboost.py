"""XGBoost's boosters: their UBJ (JSON in binary form), and the DMatrix that they are asked with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

ASKED = (("xgboost.core", "Booster"),)


def load(folder: Path, name: str, kind: type, state: Callable[[], dict[str, Any]], threads: int) -> Any:
    """The booster in a file, of its own class; ``threads`` 0: as many as there are."""
    booster = kind(model_file=folder / name)
    if threads:
        booster.set_param({"nthread": threads})
    vars(booster).update(state())
    return booster


def asked(booster: Any, method: str) -> Callable[..., Any]:
    """``booster.predict`` for what a request brings: a data frame or an array instead of a DMatrix.

    Categorical columns are taken as such. An array gets the booster's own names of columns, if it has as many.
    """
    call: Callable[..., Any] = getattr(booster, method)
    if method != "predict":
        return call

    def predict(rows: Any) -> Any:
        from xgboost import DMatrix  # only where there is a booster

        names = booster.feature_names
        named = hasattr(rows, "columns") or names is None or len(names) != rows.shape[-1]
        return call(DMatrix(rows, feature_names=None if named else names, enable_categorical=hasattr(rows, "columns")))

    return predict
