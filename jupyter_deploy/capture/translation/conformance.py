"""The conformance data set of a translation: rows as its graph takes them, with the original's answers.

``export`` writes it for runtimes in other languages. No row is of the training table: all are of the example, or made
of its values (random ones, thresholds of trees, texts).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.artifacts import CONFORMANCE
from jupyter_deploy.serving.natives.translated import TranslatedModel
from jupyter_deploy.system.digests import sha256

from .rows import proof_rows, taken, width_of

_ROWS = 100
"""The most rows of each origin."""

_VALUES = 20_000
"""The most values of each origin: fewer rows of wide tables."""

_BREAKS = frozenset("\t\n\r")


def write_conformance(original: Any, translated: TranslatedModel, example: Any, folder: Path) -> dict[str, str]:
    """Write the data set into a snapshot's folder; return its SHA-256 by name.

    Rows on which the original raises are left out, and so are those with a tab or a line break in a text: they separate
    values and rows in the exported files, and those whose label is missing, or that R drew in a tie of votes.
    """
    answer = getattr(original, translated.form["method"])
    most = max(1, min(_ROWS, _VALUES // max(1, width_of(example))))
    rows: list[list[Any]] = []
    answers: list[list[Any]] = []
    origins: dict[str, int] = {}
    for origin, table in proof_rows(original, example, None).items():
        before = len(rows)
        for row, values in _answered(answer, translated, _spread(table, most)):
            if not any(isinstance(value, str) and _BREAKS & set(value) for value in (*row, *values)):
                rows.append(row)
                answers.append(values)
        if len(rows) > before:
            origins[origin] = len(rows) - before
    content = json.dumps(
        {
            "form": translated.form,
            "inputs": _inputs(translated, example),
            "origins": origins,
            "rows": rows,
            "answers": answers,
        }
    ).encode()
    (folder / CONFORMANCE).write_bytes(content)
    return {CONFORMANCE: sha256(content)}


def _spread(table: Any, most: int) -> Any:
    """Return at most ``most`` rows of a table, evenly spread."""
    places = np.unique(np.linspace(0, len(table) - 1, min(len(table), most)).astype(int))
    return taken(table, places)


def _answered(
    answer: Callable[[Any], Any], translated: TranslatedModel, table: Any
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield the rows that the original answers, as the graph takes them, each with its answer."""
    try:
        given = np.asarray(answer(table))
        if translated.form.get("listed"):  # labels of R
            theirs = np.asarray(getattr(translated, translated.form["method"])(table), object)
            certain = np.array(
                [one is not None and one == other for one, other in zip(given, theirs, strict=True)], bool
            )
            given, table = given[certain], table[certain]
        answers = _by_row(given)
        feeds = [_by_row(feed) for feed in translated.feeds(table).values()]
    except Exception:  # noqa: BLE001 - a model may raise any error on a row that nobody has seen
        for row in range(len(table) if len(table) > 1 else 0):
            yield from _answered(answer, translated, table[row : row + 1])
        return
    for row, values in enumerate(answers):
        yield [value for feed in feeds for value in feed[row]], values


def _by_row(values: Any) -> list[list[Any]]:
    """Return each row's values; booleans are 0 and 1, as in the graph."""
    table = values.reshape(len(values), -1)
    listed: list[list[Any]] = (table.astype(str) if table.dtype.kind in "OUS" else table + 0).tolist()
    return listed


def _inputs(translated: TranslatedModel, example: Any) -> list[dict[str, Any]]:
    """Return the graph's inputs with their names, types and columns."""
    kinds = translated.form["kinds"]
    if kinds is None:
        columns = translated.form["columns"] or [str(place) for place in range(example.shape[1])]
        return [{"name": "X", "type": "double", "columns": columns}]
    types = {"number": "double", "text": "string"}
    return [{"name": name, "type": types[kind], "columns": [name]} for name, kind in kinds.items()]
