"""A classifier between the first recorded requests and those of a range: one figure for all features together.

It sees what no single feature shows, such as two features whose dependence changed. It is a description: it has no
level, and nothing alarms by it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.drift.drift import JointShift
from jupyter_deploy.domain.drift.features import Plain
from jupyter_deploy.domain.drift.sketch import FeatureReader
from jupyter_deploy.records.records import AT, COLUMNS, VALID, database, fetch_rows, in_utc, lines_of

MOST_ROWS = 1_000
"""Requests of each side; of the range a sample."""

LEAST_ROWS = 100
"""With fewer requests of a side there is no figure."""

_FOLDS = 5
_LABELS = 10
_CROSSED = 20
"""Columns whose products are columns too."""

_RIDGE = 1.0

_ANSWERED = f"{VALID} AND status = 200 AND role IN ('stable', 'canary') AND json_type(inputs, '$[0]') IS NOT NULL"
# The threshold is found without inputs, so that these are read from the row groups of the first requests alone.
_LAST_OF_FIRST = f"SELECT max(ts) FROM (SELECT ts FROM {{lines}} WHERE {VALID} AND ts < $since ORDER BY ts LIMIT $most)"
_ROWS = f"""
SELECT ts, coalesce(cluster, inputs_digest, request_id), json_extract(inputs, '$[0]')::VARCHAR FROM (
    SELECT * FROM {{lines}} WHERE {_ANSWERED} AND {{range}}
) USING SAMPLE reservoir({MOST_ROWS} ROWS) REPEATABLE (1)
"""

Floats = NDArray[np.float64]


class _Row(NamedTuple):
    at: datetime
    cluster: str
    values: Mapping[str, Plain]


def joint_shift(
    files: Sequence[Path], folder: Path, reader: FeatureReader, *, since: datetime, until: datetime
) -> JointShift | None:
    """Return the figure; None: one side has fewer than ``LEAST_ROWS`` requests.

    The caller holds the lock of the records' readers.

    Parameters
    ----------
    files
        The release's segments.
    reader
        Reads the features of an input; of a request of several rows the first one counts.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    lines = lines_of(files, COLUMNS)
    moments = {"since": in_utc(since), "until": in_utc(until)}
    with database(folder) as connection:
        threshold = _LAST_OF_FIRST.format(lines=lines)
        ((last,),) = fetch_rows(connection, threshold, {"since": moments["since"], "most": MOST_ROWS})
        if last is None:
            return None
        first = _ROWS.format(lines=lines, range=f"{AT} <= $last::TIMESTAMP_NS")
        then = _ROWS.format(lines=lines, range=f"{AT} >= $since AND {AT} < $until")
        sides = fetch_rows(connection, first, {"last": str(last)}), fetch_rows(connection, then, moments)
    earlier, later = ([_row(reader, *one) for one in side] for side in sides)
    if min(len(earlier), len(later)) < LEAST_ROWS:
        return None
    return JointShift(
        auc=round(out_of_fold_auc(earlier, later), 4),
        since=since,
        until=until,
        rows=len(later),
        first_rows=len(earlier),
        first_until=max(one.at for one in earlier),
    )


def _row(reader: FeatureReader, at: Any, cluster: str, text: str) -> _Row:
    return _Row(at.replace(tzinfo=UTC), cluster, reader.read("inputs", json.loads(text)))


def out_of_fold_auc(earlier: Sequence[_Row], later: Sequence[_Row]) -> float:
    """Return the area under the curve of a classifier between two sets of rows, each row judged by others.

    The classifier is a linear discriminant (ridge regression on the labels) of ranks, squares, products and labels.
    Rows of one cluster are in one fold, so that no client is recognized. The areas of the folds are averaged.
    """
    rows = [*earlier, *later]
    design = _design([one.values for one in rows])
    labels = np.array([-1.0] * len(earlier) + [1.0] * len(later))
    folds = np.array([zlib.crc32(one.cluster.encode()) % _FOLDS for one in rows])
    areas, weights = [], []
    for fold in range(_FOLDS):
        tested, trained = folds == fold, folds != fold
        positive = labels[tested] > 0
        if not positive.any() or positive.all() or len(set(labels[trained])) < 2:
            continue
        scores = design[tested] @ _fitted(design[trained], labels[trained])
        areas.append(_area(scores, positive))
        weights.append(int(tested.sum()))
    return float(np.average(areas, weights=weights)) if areas else 0.5


def _fitted(design: Floats, labels: Floats) -> Floats:
    """Fit by ridge regression; each class has half of the weight."""
    weights = np.where(labels > 0, 0.5 / (labels > 0).mean(), 0.5 / (labels < 0).mean())
    weighted = design * weights[:, None]
    penalty = _RIDGE * np.eye(design.shape[1])
    return np.asarray(np.linalg.solve(weighted.T @ design + penalty, weighted.T @ labels), dtype=float)


def _area(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the share of pairs in which the positive one has the larger score; ties count half."""
    negative = np.sort(scores[~positive])
    below = np.searchsorted(negative, scores[positive], side="left")
    upto = np.searchsorted(negative, scores[positive], side="right")
    return float((below + upto).mean() / 2 / len(negative))


def _design(rows: Sequence[Mapping[str, Plain]]) -> Floats:
    """Return a matrix: a constant, ranks of numbers, labels, what is missing, and squares and products of these."""
    columns: list[Floats] = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        columns += _columns(values)
    plain = [_scaled(column) for column in columns if column.std() > 0]
    crossed = plain[:_CROSSED]
    products = [one * other for at, one in enumerate(crossed) for other in crossed[at:]]
    spread = [_scaled(column) for column in products if column.std() > 0]
    return np.column_stack([np.ones(len(rows)), *plain, *spread])


def _columns(values: Sequence[Plain]) -> list[Floats]:
    """Return the columns of a feature."""
    missing = np.array([value is None for value in values], dtype=float)
    if any(isinstance(value, str) for value in values):
        texts = [None if value is None else str(value) for value in values]
        counts: dict[str, int] = {}
        for text in texts:
            if text is not None:
                counts[text] = counts.get(text, 0) + 1
        frequent = sorted(counts, key=lambda text: (-counts[text], text))[:_LABELS]
        return [np.array([text == label for text in texts], dtype=float) for label in frequent] + [missing]
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = np.sort(numbers[missing == 0])
    ranks = (np.searchsorted(known, numbers, side="left") + np.searchsorted(known, numbers, side="right")) / 2
    middle = len(known) / 2
    return [np.where(missing > 0, middle, ranks), missing]


def _scaled(column: Floats) -> Floats:
    return np.asarray((column - column.mean()) / column.std(), dtype=float)
