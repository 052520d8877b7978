"""The evaluation of an expression: cross-validation on the training rows, by the method that is served."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import Task
from jupyter_deploy.model_selection.metric_names import known_scorer

PROBABILITIES = "predict_proba"


class OutOfTimeError(Exception):
    """The time of the search is over within a trial."""


@dataclass(frozen=True)
class SearchMetric:
    """A metric of the search.

    Attributes
    ----------
    scorer
        The scorer's name.
    name
        The name in the table of candidates, without ``neg_``.
    """

    scorer: str
    method: str

    @property
    def name(self) -> str:
        return self.scorer.removeprefix("neg_")

    @property
    def greater_is_better(self) -> bool:
        return not self.scorer.startswith("neg_")

    def score(self, model: Any, table: Any, truth: Any) -> float:
        """Return the metric of a fitted model's answers; of an error, less is better."""
        from sklearn.metrics import get_scorer

        sign = 1 if self.greater_is_better else -1
        return sign * float(get_scorer(self.scorer)(_served(model, self), table, truth))


def metric_of(metric: str | None, task: Task, method: str | None) -> SearchMetric:
    """Return the metric of a search. Raises InvalidInput: it is unknown, or numbers have no probabilities."""
    if method == PROBABILITIES and task == "regression":
        raise InvalidInput("a regression has no predict_proba", "leave out --method, or give --task classification")
    if metric is None:
        labels = "accuracy" if task == "classification" else "neg_mean_absolute_error"
        metric = "neg_log_loss" if method == PROBABILITIES else labels
    return SearchMetric(known_scorer(metric), method or "predict")


def require_scores(metric: SearchMetric, model: Any, table: Any, truth: Any) -> None:
    """Raise InvalidInput if the metric of a fitted baseline cannot be computed."""
    try:
        value = metric.score(model, table, truth)
    except AttributeError as error:
        remedy = (
            "search for probabilities: --method predict_proba"
            if metric.method != PROBABILITIES
            else "leave out --method, or choose a metric of probabilities, such as log_loss or roc_auc"
        )
        raise InvalidInput(
            f"the metric '{metric.name}' cannot be computed of what {metric.method} answers", remedy
        ) from error
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInput(f"the metric '{metric.name}' cannot be computed: {why}", "choose another one") from error
    if value != value:  # noqa: PLR0124 - NaN
        raise InvalidInput(f"the metric '{metric.name}' is undefined for this label", "choose another one")


def cross_validate(
    model: Callable[[], Any],
    folds: Iterator[tuple[Any, Any]],
    data: tuple[Any, Any],
    metric: SearchMetric,
    deadline: float | None,
) -> float:
    """Return the mean of the metric over folds; ``model`` makes an unfitted model.

    Raises
    ------
    OutOfTimeError
        A fold would begin after the deadline.
    """
    table, truth = data
    scores = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for train, test in folds:
            if deadline is not None and time.monotonic() > deadline:
                raise OutOfTimeError
            fitted = model().fit(table.iloc[train], truth.iloc[train])
            scores.append(metric.score(fitted, table.iloc[test], truth.iloc[test]))
    return sum(scores) / len(scores)


def run_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Run the notebook's own code, cell by cell, and return its names."""
    names: dict[str, Any] = {"__name__": "nbdeploy_search"}
    for title, source in cells.items():
        exec(compile(source, f"<{title}>", "exec"), names)  # noqa: S102 - code that this package has written
    return names


def made(expression: str, names: dict[str, Any]) -> Any:
    """Return the unfitted model of an expression."""
    return eval(expression, names)  # noqa: S307 - an expression that this package has written


def _served(model: Any, metric: SearchMetric) -> Any:
    """Return an estimator that answers by the served method alone, as the table of candidates scores it."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    if not hasattr(model, "classes_"):
        return model
    methods = {metric.method, *(["predict"] if metric.scorer == "accuracy" else [])}
    members = {name: staticmethod(getattr(model, name)) for name in methods}
    made_class = type("Served", (ClassifierMixin, BaseEstimator), {**members, "classes_": model.classes_})
    return made_class()
