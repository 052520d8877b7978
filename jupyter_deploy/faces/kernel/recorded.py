"""``recorded()``: an endpoint's recorded requests as a data frame, in a validation or in an interactive notebook."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.ground_truth import FILE, MOST_ROWS, OF

if TYPE_CHECKING:
    import pandas as pd

INDEX = ("request_id", "row")

_Moment = str | timedelta | datetime | None


def recorded(
    name: str | None = None,
    *,
    since: str | timedelta | datetime | None = None,
    until: str | timedelta | datetime | None = None,
    limit: int = MOST_ROWS,
) -> pd.DataFrame:
    """Return the requests of clients with their answers, one row for each instance, oldest first.

    If nbdeploy runs the notebook with ``--traffic``, it has chosen the requests and ignores the arguments, so that the
    candidate and stable answer the same rows.

    Parameters
    ----------
    name : str
        The endpoint, in an interactive notebook.
    since : str or timedelta or datetime
        The last ``"1h"``, ``"7d"``, …, or since ``"2026-11-25T12:00"``. Default: the last day.
    until : str or timedelta or datetime
        Only requests before then. Default: now.
    limit : int
        Only the latest rows, at most this many.

    Returns
    -------
    pandas.DataFrame
        The instances' features as columns (one column ``instance`` if an instance is not an object); their names are in
        ``frame.attrs["features"]``, those of redacted ones in ``frame.attrs["redacted"]``. Then ``predicted``, the
        answer to the client, ``actual``, the ground truth (None if there is none), ``release``, which answered, and
        ``ts``, the time of the request (UTC). A feature with one of these names keeps it, and the other column gets an
        underscore: ``actual_``. The index is the request's id and the row in it.

    Raises
    ------
    InvalidInput
        There are no records, or none with data; or ``name`` is missing in an interactive notebook.
    """
    with _file(name, since, until, limit) as (path, of):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if len(rows) < of:
        warnings.warn(f"these are the last {len(rows)} of {of} recorded rows", stacklevel=2)
    redacted = sorted({name for row in rows for name in row.get("redacted", ())})
    if redacted:
        words = f"the values of {', '.join(redacted)} are redacted: a model that needs them cannot answer these rows"
        warnings.warn(words, stacklevel=2)
    frame = _frame(rows)
    frame.attrs["redacted"] = redacted
    return frame


@contextmanager
def _file(name: str | None, since: _Moment, until: _Moment, limit: int) -> Iterator[tuple[Path, int]]:
    if FILE in os.environ:
        yield Path(os.environ[FILE]), int(os.environ[OF])
        return
    if name is None:
        raise InvalidInput(
            "which endpoint's requests?",
            "in an interactive notebook write recorded('NAME'); or run it by 'nbdeploy validate … --traffic NAME'",
        )
    from jupyter_deploy.verbs.recorded_requests import rows_of
    from jupyter_deploy.wiring import Wiring

    with rows_of(name, since, limit, Wiring().ports, until) as found:
        yield found.path, found.of


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise InvalidInput(
            "recorded() needs pandas", f"install it, or read the JSON lines of the file that {FILE} names"
        ) from error
    instances = [row["instance"] for row in rows]
    tabular = all(isinstance(instance, dict) for instance in instances)
    columns = pd.DataFrame(instances) if tabular else pd.DataFrame({"instance": pd.Series(instances, dtype=object)})
    features = list(columns.columns)
    for name in ("predicted", "actual"):
        # As objects: a missing value stays None, and an integer stays an integer.
        values = pd.Series([row[name] for row in rows], dtype=object)
        columns[_free(name, columns)] = values if values.isna().any() else values.infer_objects()
    columns[_free("release", columns)] = [row["release"] for row in rows]
    columns[_free("ts", columns)] = pd.to_datetime([row["ts"] for row in rows], format="ISO8601", utc=True)
    columns.index = pd.MultiIndex.from_arrays([[row[name] for row in rows] for name in INDEX], names=INDEX)
    columns.attrs["features"] = features
    return columns


def _free(name: str, columns: pd.DataFrame) -> str:
    while name in columns:
        name += "_"
    return name
