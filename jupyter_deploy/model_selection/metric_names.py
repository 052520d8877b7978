"""Metrics by scikit-learn's names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from jupyter_deploy.domain.errors import InvalidInput


def known_scorer(metric: str, own: Sequence[str] = ()) -> str:
    """Return the scorer's name; an error's or loss's may lack its ``neg_``.

    Parameters
    ----------
    own
        The names that need no scikit-learn.

    Raises
    ------
    InvalidInput
        There is no such metric, or scikit-learn is missing.
    """
    try:
        from sklearn.metrics import get_scorer_names  # noqa: PLC0415 - only this needs it
    except ImportError as error:
        for name in (metric, f"neg_{metric}"):
            if name in own:
                return name
        raise InvalidInput(
            f"the metric '{metric}' needs scikit-learn",
            f"install it, or use one of {', '.join(own)}, or a function",
        ) from error
    names = get_scorer_names()
    for name in (metric, f"neg_{metric}", metric.removesuffix("_score")):
        if name in names:
            return str(name)
    near = difflib.get_close_matches(metric, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "sklearn.metrics.get_scorer_names() lists them"
    raise InvalidInput(f"there is no metric '{metric}'", hint)
