"""The agreement on each field of structured answers, with clusters as the unit. In DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from jupyter_deploy.domain.evidence.answer_differences import FieldAgreement
from jupyter_deploy.domain.evidence.answer_fields import MOST_FIELDS, FieldTracker

from . import clusters
from .answer_sample import SampledRow

_BIT = "(differing >> {bit}) & 1"


def fields(
    connection: duckdb.DuckDBPyConnection, tracker: FieldTracker, sampled: Sequence[SampledRow]
) -> tuple[list[FieldAgreement], int]:
    """Return the fields, most different first, and how many there are; none if no answer is an object or a list.

    Parameters
    ----------
    sampled
        Rows whose fields are known too although the two agree on them.
    """
    for row in sampled:
        if isinstance(row.stable, dict | list) and isinstance(row.candidate, dict | list):
            tracker.compare(row.stable, row.candidate)
    known = tracker.fields
    if not known:
        return [], 0
    sums = ", ".join(f"coalesce(sum({_BIT.format(bit=bit)}), 0)::BIGINT" for bit in known.values())
    totals = connection.execute(f"SELECT {sums} FROM compared").fetchone()
    differ = dict(zip(known, totals, strict=True))
    shown = sorted(known, key=lambda field: (-differ[field], known[field]))[:MOST_FIELDS]
    means = ", ".join(f"avg(1 - ({_BIT.format(bit=known[field])})) AS v{place}" for place, field in enumerate(shown))
    again = ", ".join(f"avg(v{place}) AS v{place}" for place in range(len(shown)))
    connection.execute(
        f"CREATE TEMP TABLE field_units AS SELECT unit, {again} FROM (SELECT unit, request, {means} "
        "FROM compared JOIN units USING (request) GROUP BY unit, request) GROUP BY unit"
    )
    return [
        FieldAgreement(
            field=field.path,
            aspect=field.aspect,
            agreement=clusters.mean_of(connection, f"SELECT v{place} AS value FROM field_units").estimate(),
            differ=differ[field],
        )
        for place, field in enumerate(shown)
    ], len(known)
