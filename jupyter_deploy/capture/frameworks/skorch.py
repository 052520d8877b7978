"""skorch: scikit-learn's interface around a torch module."""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable
from typing import Any

from jupyter_deploy.capture.static_attributes import own

from .base import loaded
from .sklearn import Sklearn


class Skorch(Sklearn):
    """``NeuralNet`` and its classifiers and regressors."""

    name = "skorch"

    def base_of(self, model: Any) -> type | None:
        """Skorch's own class, nearer than scikit-learn's."""
        base: type | None = loaded("skorch.net", "NeuralNet")
        return base if base is not None and isinstance(model, base) else None

    def is_fitted(self, model: Any) -> bool:
        """Skorch notes it."""
        return bool(own(model).get("initialized_"))

    def reducer(self, kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
        """Nets by their attributes, and what they note without the time of day."""
        reducers = {
            ("skorch.net", "NeuralNet"): _net,
            ("skorch.history", "History"): _history,
            ("skorch.callbacks.logging", "EpochTimer"): _timer,
            ("skorch.callbacks", "EpochTimer"): _timer,
        }
        return next(
            (reducer for where, reducer in reducers.items() if (base := loaded(*where)) and issubclass(kind, base)),
            None,
        )


def _net(net: Any) -> tuple[Any, ...]:
    """Skorch pickles module and optimiser into bytes by pickle's own means, which know no class of a notebook."""
    return copyreg.__newobj__, (type(net),), vars(net) | {"__cuda_dependent_attributes__": pickle.dumps({})}  # type: ignore[attr-defined]


def _history(history: Any) -> tuple[Any, ...]:
    return type(history), ([{name: value for name, value in row.items() if name != "dur"} for row in history],)


def _timer(timer: Any) -> tuple[Any, ...]:
    return copyreg.__newobj__, (type(timer),), vars(timer) | {"epoch_start_time_": None}  # type: ignore[attr-defined]
