"""scikit-learn, and what follows its interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jupyter_deploy.capture.static_attributes import has_method, last_step, own

from . import framework_of
from .base import Framework, loaded
from .parameters import as_json, parameters_of

# Where an estimator that has not noted the columns itself keeps one that saw the same table.
_INNER = ("best_estimator_", "estimator_", "estimators_", "calibrated_classifiers_", "estimator")


class Sklearn(Framework):
    """Estimators, pipelines and searches."""

    name = "sklearn"
    trained = True

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("sklearn.base", "BaseEstimator")
        return base if base is not None and isinstance(model, base) else None

    def is_fitted(self, model: Any) -> bool:
        """By the attributes that end in an underscore, its own or those of the last step."""
        parts = own(model)
        if not has_method(model, "fit"):  # such as a booster, which a training returns
            return True
        if any(name.endswith("_") and not name.startswith("_") for name in parts):
            return True
        inner = last_step(model)
        return "steps" in parts and inner is not None and framework_of(inner).is_fitted(inner)

    def steps(self, model: Any) -> Sequence[Any]:
        """A pipeline's."""
        steps = own(model).get("steps")
        return steps if type(steps) is list else ()

    def chooses_columns(self, model: Any) -> bool:
        """A ColumnTransformer does; other estimators, such as LightGBM's, go by position without a message."""
        return type(model).__module__.partition(".")[0] == "sklearn"

    def features(self, model: Any) -> tuple[str, ...] | None:
        """``feature_names_in_``, or what the estimator inside knows."""
        names = super().features(model)
        if names is not None:
            return names
        steps = getattr(model, "steps", None)
        inner = [steps[0][1]] if steps else [getattr(model, name) for name in _INNER if hasattr(model, name)]
        for found in inner:
            part = found[0] if isinstance(found, list) and found else found
            known = framework_of(part).features(part)
            if known is not None:
                return known
        return None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """Those of ``get_params``, and of a fitted search those that it chose, as ``best_params_``."""
        chosen = getattr(model, "best_params_", None)
        return parameters_of(model) | ({} if chosen is None else {"best_params_": as_json(chosen)})

    def hint(self, error: Exception, container: str) -> str | None:
        if any(kind.__name__ == "NotFittedError" for kind in type(error).__mro__):
            return "fit it before it is deployed"
        return super().hint(error, container)

    def reducer(self, kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
        """A search without the seconds that its fits took, a vectoriser without an address: they differ each time."""
        bases = {base.__name__ for base in kind.__mro__ if base.__module__.startswith("sklearn.")}
        return _without_fleeting if bases & {"BaseSearchCV", "_VectorizerMixin"} else None


def _without_fleeting(part: Any) -> tuple[Any, ...]:
    made, arguments, state, *rest = part.__reduce_ex__(4)
    kept = {name: value for name, value in state.items() if name not in ("refit_time_", "_stop_words_id")}
    if "cv_results_" in kept:
        kept["cv_results_"] = {name: v for name, v in kept["cv_results_"].items() if not name.endswith("_time")}
    return made, arguments, kept, *rest
