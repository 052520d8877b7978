"""Rows with their true answers among the notebook's variables, by their sizes and names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyter_deploy.domain.capture.candidates import LabelledRows

from .tables import TableVariable, name_score

MOST = 5

_ROWS = frozenset(("x", "xs", "features", "input", "inputs", "data", "df", "rows", "texts", "docs", "samples"))
_TRUTHS = frozenset(("y", "ys", "label", "labels", "target", "targets", "truth", "true"))


def labelled(tables: Sequence[TableVariable]) -> list[LabelledRows]:
    """Return at most five pairs of as many rows as answers, rows outside the training first.

    The names say which belong together: ``X_test`` and ``y_test``, ``data`` and ``target``.
    """
    found = []
    for rows in tables:
        names, marks = _marked(rows.variable, _ROWS)
        if not marks or (rows.ndim == 1 and rows.form != "texts"):
            continue
        for truth in tables:
            others, marks = _marked(truth.variable, _TRUTHS)
            if marks and truth.width == 1 and truth.rows == rows.rows and others == names:
                found.append((name_score(rows.variable, None), rows, truth))
    found.sort(key=lambda one: -one[0])
    return [LabelledRows(x=rows.variable, y=truth.variable, words=rows.words) for _, rows, truth in found[:MOST]]


def _marked(name: str, marks: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the other words of a name, and the ones among ``marks``."""
    words = frozenset(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=^[xXyY])(?=[a-z]{2})", "_", name).lower().split("_"))
    return words - marks, words & marks
