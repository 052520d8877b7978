"""scikit-learn, and what follows its interface."""

from __future__ import annotations

from typing import Any

from .base import Framework, loaded


class Sklearn(Framework):
    """Estimators, pipelines and searches."""

    name = "sklearn"

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("sklearn.base", "BaseEstimator")
        return base if base is not None and isinstance(model, base) else None
