"""The scores of answers that are probabilities or other scores of classes, in place of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_selection.calibration import calibration_of
from jupyter_deploy.domain.model_selection.selection import Calibration

PROBABILITIES, SCORES = "predict_proba", "decision_function"
"""The methods of classifiers whose answers are no labels."""


def classes_of(models: Mapping[str, Any], truth: Any) -> list[Any]:
    """Return the classes in the order of the columns of the models, which have titles.

    Raises
    ------
    InvalidInput
        A model does not say its classes, two have other ones, or y has another label.
    """
    found: dict[str, list[Any]] = {}
    for title, model in models.items():
        classes = getattr(model, "classes_", None)
        if classes is None:
            raise InvalidInput(
                f"{title} has no classes_, so a metric by name cannot read its columns",
                "give a function of y and the answers as the metric",
            )
        found[title] = np.asarray(classes).tolist()
    first, known = next(iter(found.items()))
    other = next((title for title, classes in found.items() if classes != known), None)
    if other is not None:
        raise InvalidInput(
            f"{first} has the classes {known}, and {other} {found[other]}",
            "fit all of them on rows of all classes, such as those of stratified folds",
        )
    unknown = sorted({str(label) for label in truth.tolist() if label not in known})
    if unknown:
        raise InvalidInput(f"y has the label {unknown[0]}, and {first} has {known}", "leave these rows out")
    return known


def by_row(classes: Sequence[Any]) -> dict[str, Callable[[Any, Any], Any]]:
    """Return the metrics of probabilities with a number for each row, by the scorer's name.

    The logarithm is of a probability of at least the machine's epsilon, as scikit-learn's; Brier's score is the mean
    squared error of the second of two classes, and of more classes the sum over the classes.
    """
    place = {label: number for number, label in enumerate(classes)}

    def positions(truth: Any) -> Any:
        return np.asarray([place[label] for label in truth.tolist()])

    def log_loss(truth: Any, answers: Any) -> Any:
        chosen = np.asarray(answers, dtype=float)[np.arange(len(truth)), positions(truth)]
        return -np.log(np.clip(chosen, np.finfo(float).eps, 1.0))

    def brier(truth: Any, answers: Any) -> Any:
        distances = np.square(np.asarray(answers, dtype=float) - np.eye(len(classes))[positions(truth)])
        return distances[:, 1] if len(classes) == 2 else distances.sum(axis=1)

    def accuracy(truth: Any, answers: Any) -> Any:
        return np.argmax(answers, axis=1) == positions(truth)

    return {"accuracy": accuracy, "neg_log_loss": log_loss, "neg_brier_score": brier}


def estimator_of(method: str, classes: Sequence[Any]) -> Any:
    """Return an estimator whose answers are its input, so that a scorer scores answers that are there already."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        pass

    def identity(_: Any, answers: Any) -> Any:
        return answers

    identity.__name__ = method  # scikit-learn asks the method for its name
    setattr(Answers, method, identity)
    made = Answers()
    made.classes_ = np.asarray(classes)
    return made


def calibration_of_answers(answers: Any, truth: Any, classes: Sequence[Any]) -> Calibration | None:
    """Return the calibration of served probabilities; None: the answers are no probabilities of these classes."""
    probabilities = np.asarray(answers, dtype=float)
    if probabilities.shape != (len(truth), len(classes)):
        return None
    place = {label: number for number, label in enumerate(classes)}
    found = calibration_of(probabilities.tolist(), [place[label] for label in truth.tolist()])
    return found.model_copy(update={"served": True})
