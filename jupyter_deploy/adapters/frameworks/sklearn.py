"""scikit-learn, and what follows its interface."""

from __future__ import annotations

from typing import Any

from .base import Framework, loaded
from .parameters import as_json, parameters_of


class Sklearn(Framework):
    """Estimators, pipelines and searches."""

    name = "sklearn"

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("sklearn.base", "BaseEstimator")
        return base if base is not None and isinstance(model, base) else None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """Those of ``get_params``, and of a fitted search those that it chose, as ``best_params_``."""
        chosen = getattr(model, "best_params_", None)
        return parameters_of(model) | ({} if chosen is None else {"best_params_": as_json(chosen)})
