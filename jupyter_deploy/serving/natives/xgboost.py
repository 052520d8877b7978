"""XGBoost boosters in UBJ (binary JSON), and the conversion of batches to DMatrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

ADAPTED = (("xgboost.core", "Booster"),)


def load(folder: Path, name: str, kind: type, state: Callable[[], dict[str, Any]], threads: int) -> Any:
    """Load a booster with its own class; ``threads`` 0: all processors."""
    booster = kind(model_file=folder / name)
    if threads:
        booster.set_param({"nthread": threads})
    vars(booster).update(state())
    return booster


def adapt(booster: Any, method: str) -> Callable[..., Any]:
    """Return a booster's method; ``predict`` takes a data frame or an array instead of a DMatrix.

    Categorical columns are passed as such. An array gets the booster's feature names if their number fits.
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
