"""The score of a model's answers: scikit-learn's metrics by name, or a function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.statistic import statistic_of
from jupyter_deploy.domain.gates.gate import metric_label
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.model_selection.metric_names import known_scorer

from .metrics import measure
from .probabilities import PROBABILITIES, SCORES, by_row, classes_of, estimator_of

_BY_ROW: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "accuracy": ("mean", lambda truth, answers: answers == truth),
    "neg_mean_absolute_error": ("mean", lambda truth, answers: np.abs(answers - truth)),
    "neg_mean_squared_error": ("mean", lambda truth, answers: np.square(answers - truth)),
    "neg_root_mean_squared_error": ("rms", lambda truth, answers: answers - truth),
}
"""Metrics with a number for each row, by the scorer's name: their statistic, and the function of the rows."""


@dataclass(frozen=True)
class Scoring:
    """A metric: ``function`` of truth and answers gives its rows if ``statistic`` is a name, else the metric itself.

    Attributes
    ----------
    classes
        The classes of the answers' columns, if they are probabilities or scores; empty: an answer is one value.
    """

    name: str
    greater_is_better: bool
    statistic: str
    function: Callable[[Any, Any], Any]
    classes: Sequence[Any] = ()

    def metrics(self, truth: Any, answers: Any, by: Any) -> list[Metric]:
        """Return the metric over all rows, then over each subgroup of ``by`` in which it is defined.

        Raises
        ------
        InvalidInput
            It cannot be computed.
        """
        self._require_shape(truth, answers)
        try:
            rows = self.function(truth, answers) if self.statistic else (truth, answers)
            found = list(measure(self.name, rows=rows, statistic=self.statistic or self.function, by=by))
        except InvalidInput:
            raise
        except Exception as error:
            raise _undefined(self.name, error) from error
        return [
            Metric(
                name=one.name,
                value=one.value,
                n=one.n,
                group=dict(one.group),
                statistic=one.statistic,
                rows=None if one.rows is None else tuple(one.rows.tolist()),
                replicates=None if one.replicates is None else tuple(one.replicates.tolist()),
                informative=one.informative,
            )
            for one in found
        ]

    def value(self, truth: Any, answers: Any) -> float:
        """Return the metric over all rows, without resampling. Raises InvalidInput: it cannot be computed."""
        self._require_shape(truth, answers)
        try:
            found = self.function(truth, answers)
            value = statistic_of(self.statistic, np.asarray(found, dtype=float).tolist()) if self.statistic else found
            return float(value)
        except Exception as error:
            raise _undefined(self.name, error) from error

    def _require_shape(self, truth: Any, answers: Any) -> None:
        expected = (*np.shape(truth), len(self.classes)) if self.classes else np.shape(truth)
        if np.shape(answers) != expected and self.statistic:
            raise InvalidInput(
                f"the answers have the shape {np.shape(answers)}, and y has {np.shape(truth)}",
                "give a function as the metric, which takes y and the answers",
            )

    def groups(self, count: int, by: Any) -> list[str]:
        """Return the names of the metric in the subgroups of ``by``. Raises InvalidInput: ``by`` is wrong."""
        if by is None:
            return []
        return [
            metric_label(self.name, one.group) for one in measure(self.name, rows=np.zeros(count), by=by) if one.group
        ]


def scoring_of(
    metric: Any, truth: Any, models: Mapping[str, Any], greater_is_better: bool | None, method: str | None = None
) -> Scoring:
    """Return the scoring of a choice, tried on perfect answers before slow work.

    Parameters
    ----------
    metric
        A name of ``sklearn.metrics.get_scorer_names()`` for answers of the method, a function of truth and answers, or
        None: the log loss of probabilities, accuracy for other classifiers, else the mean absolute error.
    models
        All models and fits by the titles that errors name them with.
    greater_is_better
        Of a function (default: True); a name says it itself.
    method
        The served method; of ``predict_proba`` and ``decision_function`` the answers are probabilities and scores.

    Raises
    ------
    InvalidInput
        There is no such metric, or it cannot be computed of this truth.
    """
    if metric is None:
        labels = "accuracy" if _classifies(models, truth) else "neg_mean_absolute_error"
        metric = "neg_log_loss" if method == PROBABILITIES else "roc_auc" if method == SCORES else labels
    if callable(metric):
        name = getattr(metric, "__name__", "score")
        classes: Sequence[Any] = ()
        with contextlib.suppress(InvalidInput):  # the function may need none, and then there is no calibration
            classes = classes_of(models, truth) if method == PROBABILITIES else ()
        return Scoring(name if name.isidentifier() else "score", greater_is_better is not False, "", metric, classes)
    if greater_is_better is not None:
        raise InvalidInput("greater_is_better is for a function", f"leave it out: '{metric}' says it itself")
    name = _known(str(metric))
    greater, shown = not name.startswith("neg_"), name.removeprefix("neg_")
    if method in (PROBABILITIES, SCORES):
        return _of_scores(name, truth, classes_of(models, truth), method)
    if name in _BY_ROW:
        statistic, function = _BY_ROW[name]
        if name != "accuracy" and truth.dtype.kind not in "biuf":
            raise InvalidInput(f"'{shown}' needs numbers, and y has {truth.dtype}", "choose a metric of labels")
        return Scoring(shown, greater, statistic, function)
    from sklearn.base import BaseEstimator

    class Answers(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        """An estimator whose answers are its input: a scorer scores answers that are there already."""

        def predict(self, answers: Any) -> Any:
            return answers

    scored = _scorer(name, Answers())
    try:
        scored(truth, truth)
    except AttributeError as error:
        raise InvalidInput(
            f"'{metric}' needs scores or probabilities, and the models answer what they serve",
            "serve and compare those: method='predict_proba'",
        ) from error
    except Exception as error:
        raise _undefined(shown, error) from error
    return Scoring(shown, greater, "", scored)


def _of_scores(name: str, truth: Any, classes: Sequence[Any], method: str) -> Scoring:
    """Return the scoring of probabilities or scores, tried on answers that are right."""
    greater, shown = not name.startswith("neg_"), name.removeprefix("neg_")
    rows = by_row(classes) if method == PROBABILITIES else {}
    if name in rows:
        return Scoring(shown, greater, "mean", rows[name], classes)
    scored = _scorer(name, estimator_of(method, classes))
    right = np.eye(len(classes))[[list(classes).index(label) for label in truth.tolist()]]
    try:
        scored(truth, right[:, 1] if method == SCORES and len(classes) == 2 else right)
    except AttributeError as error:
        raise InvalidInput(
            f"'{shown}' needs labels, and the models answer what {method} returns",
            "leave the method out, or choose a metric of probabilities, such as log_loss, brier_score or roc_auc",
        ) from error
    except Exception as error:
        raise _undefined(shown, error) from error
    return Scoring(shown, greater, "", scored, classes)


def _scorer(name: str, estimator: Any) -> Callable[[Any, Any], float]:
    """Return scikit-learn's metric of truth and answers; of an error, less is better."""
    from sklearn.metrics import get_scorer

    scorer, sign = get_scorer(name), -1 if name.startswith("neg_") else 1

    def scored(truth: Any, answers: Any) -> float:
        return sign * float(scorer(estimator, answers, truth))

    scored.__name__ = name.removeprefix("neg_")
    return scored


def _known(metric: str) -> str:
    """Return the scorer's name. Raises InvalidInput: there is none."""
    try:
        return known_scorer(metric, (*_BY_ROW, *by_row(())))
    except InvalidInput as error:
        raise InvalidInput(error.message, f"{error.remedy} A function of y and the answers will do, too") from error


def _classifies(models: Mapping[str, Any], truth: Any) -> bool:
    return any(hasattr(model, "classes_") for model in models.values()) or truth.dtype.kind not in "iuf"


def _undefined(name: str, error: Exception) -> InvalidInput:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InvalidInput(f"the metric '{name}' cannot be computed: {lines[0]}", "choose another one for this y")
