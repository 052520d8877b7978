"""Several fits of one model, of other seeds or folds: the spread of their scores on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from jupyter_deploy.capture.inspection import method_of
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_selection.selection import Fits


def fits_by_name(models: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Return the fits of each model; a model that is no list is its only fit. Raises InvalidInput: a list is empty."""
    found: dict[str, Sequence[Any]] = {}
    for name, given in models.items():
        found[name] = given if isinstance(given, list | tuple) else [given]
        if not found[name]:
            raise InvalidInput(f"the model '{name}' has no fits", "give a fitted model, or a list of its fits")
    return found


def titled(models: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return each fit by its title: ``'logit'`` of a model with one fit, else ``fit 1 of 'forest'``."""
    return {
        f"'{name}'" if len(fits) == 1 else _title(name, number): fit
        for name, fits in models.items()
        for number, fit in enumerate(fits)
    }


def spread_of(
    name: str, fits: Sequence[Any], method: str | None, table: Any, score: Callable[[Any], float]
) -> Fits | None:
    """Score the fits of a model on the same rows, in the notebook; None: there is one fit alone.

    Parameters
    ----------
    score
        Returns the metric of answers.

    Raises
    ------
    InvalidInput
        A fit raises on the rows, or its score cannot be computed.
    """
    if len(fits) == 1:
        return None
    scores = [score(_answers(_title(name, number), fit, method, table)) for number, fit in enumerate(fits)]
    return Fits(count=len(scores), mean=fmean(scores), low=min(scores), high=max(scores), sd=stdev(scores))


def _title(name: str, number: int) -> str:
    return f"fit {number} of '{name}'"


def _answers(title: str, fit: Any, method: str | None, table: Any) -> Any:
    named = method_of(fit, method)
    try:
        return np.asarray((fit if named is None else getattr(fit, named))(table))
    except Exception as error:
        why = str(error).strip() or type(error).__name__
        raise InvalidInput(f"{title} raises on X: {why}", "leave this fit out, or correct the rows") from error
