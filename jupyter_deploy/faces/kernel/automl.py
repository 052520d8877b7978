"""The last cell of a search: the notebook's models are proved to answer as the search's, and the table is displayed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import DeployError, Refused
from jupyter_deploy.domain.model_selection.selection import SELECTION_MIME
from jupyter_deploy.faces.render.shell import current_shell, namespace_of
from jupyter_deploy.model_search.search import answers_of
from jupyter_deploy.verbs.capture import ERROR_MIME

from .kernel import error_document

RELATIVE_TOLERANCE = 1e-9
"""Of probabilities and numbers: sums of several threads may differ in their last bits."""


def prove_for_command_line(document: str) -> None:
    """Compare the models of this notebook with the search's answers; the outcome is displayed by its MIME type.

    Parameters
    ----------
    document
        JSON with ``answers``, the file of the search's answers by the models' names.
    """
    from IPython.display import display

    given = json.loads(document)
    try:
        namespace = namespace_of(current_shell())
        require_equal_answers(namespace, Path(given["answers"]))
        table = namespace["candidates"].table
    except DeployError as error:
        display({ERROR_MIME: error_document(error), "text/plain": str(error)}, raw=True)
    else:
        display({SELECTION_MIME: table.model_dump(mode="json"), "text/plain": "[a table of candidates]"}, raw=True)


def require_equal_answers(namespace: Any, path: Path) -> None:
    """Raise Refused if a model answers a held-out row in another way than the search's model.

    Texts must be equal, numbers up to ``RELATIVE_TOLERANCE`` of the largest one.
    """
    rows = namespace["X_test"]
    with np.load(path, allow_pickle=False) as answers:
        for name, expected in answers.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                given = answers_of(namespace[name], rows)
            different = _different(expected, given)
            if different is not None:
                count, first = different
                raise Refused(
                    f"'{name}' of the notebook answers {count} of {len(rows)} held-out rows in another way than the "
                    f"search's model, first the row {rows.index[first]}",
                    "nothing is deployed; run the search again, and check that the data did not change meanwhile",
                )


def _different(expected: Any, given: Any) -> tuple[int, int] | None:
    """Return the number of rows that differ and the first one; None: they are equal."""
    if expected.shape != given.shape or (expected.dtype.kind in "US") != (given.dtype.kind in "US"):
        return len(given), 0
    if expected.dtype.kind in "US":
        unequal = expected != given
    else:
        scale = float(np.max(np.abs(expected), initial=0.0))
        unequal = ~np.isclose(expected, given, rtol=0, atol=RELATIVE_TOLERANCE * scale)
    rows = unequal.reshape(len(given), -1).any(axis=1)
    return (int(rows.sum()), int(rows.argmax())) if rows.any() else None
