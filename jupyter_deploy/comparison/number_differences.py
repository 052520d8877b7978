"""The differences of answers that are single numbers, with clusters as the unit. In DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import duckdb

from jupyter_deploy.domain.evidence.answer_differences import Bin, NumberDifferences, NumberPair
from jupyter_deploy.domain.evidence.inference import Estimate, Interval
from jupyter_deploy.domain.evidence.sequential import LEVEL, median_ranks, quantile_bounds

from . import row_agreement
from .answer_sample import NUMBER, SampledRow

MOST_PAIRS = 500
INNER_BINS = 30
TAIL = 0.01
"""The share of the rows below the first inner bin, and above the last one."""

_NUMBERS = f"compared WHERE {NUMBER}"

# One value a cluster: the mean over its requests' means.
_PER_UNIT = f"""
CREATE TEMP TABLE number_units AS
SELECT avg(difference) AS d FROM (
    SELECT unit, request, avg(signed) AS difference FROM compared JOIN units USING (request)
    WHERE {NUMBER} GROUP BY unit, request
) GROUP BY unit
"""


def differences(
    connection: duckdb.DuckDBPyConnection, relative: dict[str, Estimate], sampled: Sequence[SampledRow]
) -> NumberDifferences | None:
    """Return the differences of ``compared``; None without numbers.

    Parameters
    ----------
    relative
        The result of ``row_agreement.relative_difference``.
    """
    rows, mean, within, least, low, high, most = connection.execute(
        f"SELECT count(*), avg(signed), avg(agree::INTEGER), min(signed), quantile_cont(signed, {TAIL}), "
        f"quantile_cont(signed, {1 - TAIL}), max(signed) FROM {_NUMBERS}"
    ).fetchone()
    if not rows:
        return None
    bias, spread = _bias_and_spread(connection)
    return NumberDifferences(
        rows=rows,
        mean=mean,
        bias=bias,
        spread=spread,
        absolute=row_agreement.numeric_difference(connection),
        relative=relative,
        within_tolerance=within,
        histogram=_histogram(connection, least, low, high, most),
        pairs=[
            NumberPair(stable=float(row.stable), candidate=float(row.candidate), agree=row.agree)
            for row in sampled
            if row.number
        ][:MOST_PAIRS],
    )


def _bias_and_spread(connection: duckdb.DuckDBPyConnection) -> tuple[Estimate | None, Estimate | None]:
    """Estimate the median and the interquartile range of the clusters' differences.

    Each quartile has a confidence sequence of half of the allowed error (``sequential.quantile_bounds``), so the
    distance of the two lies within the distances of their ends.
    """
    connection.execute(_PER_UNIT)
    n = int(connection.execute("SELECT count(*) FROM number_units").fetchone()[0])
    ranks = median_ranks(n)
    if ranks is None:
        return None, None
    half = 1 - (1 - LEVEL) / 2
    (one_low, one_high), (two_low, two_high) = (quantile_bounds(n, share, half) for share in (0.25, 0.75))
    bounds = {
        "low": ranks[0],
        "high": ranks[1],
        "below": (n + 1) // 2,
        "above": n // 2 + 1,
        "p25": ceil(n / 4),
        "p75": ceil(3 * n / 4),
        "p25_low": 1 if one_low is None else floor(one_low) + 1,
        "p25_high": n if one_high is None else ceil(one_high),
        "p75_low": 1 if two_low is None else floor(two_low) + 1,
        "p75_high": n if two_high is None else ceil(two_high),
    }
    at = dict(
        zip(
            bounds,
            connection.execute(
                f"SELECT {', '.join(f'v[{rank}]' for rank in bounds.values())} "
                "FROM (SELECT list_sort(list(d)) AS v FROM number_units)"
            ).fetchone(),
            strict=True,
        )
    )
    median = (at["below"] + at["above"]) / 2
    bias = Estimate(value=median, interval=Interval(low=at["low"], high=at["high"], level=LEVEL), n=n)
    if None in (one_low, one_high, two_low, two_high):
        return bias, None
    low, high = max(0.0, at["p75_low"] - at["p25_high"]), at["p75_high"] - at["p25_low"]
    spread = Estimate(value=at["p75"] - at["p25"], interval=Interval(low=low, high=high, level=LEVEL), n=n)
    return bias, spread


def _histogram(connection: duckdb.DuckDBPyConnection, least: float, low: float, high: float, most: float) -> list[Bin]:
    """Return equal bins between the first and the last hundredth of the rows, and one for each tail."""
    width = (high - low) / INNER_BINS
    inner = INNER_BINS if width > 0 else 1
    place = f"least(floor((signed - {low!r}) / {width!r}), {inner - 1})" if width > 0 else "0"
    counts = dict(
        connection.execute(
            f"SELECT CASE WHEN signed < {low!r} THEN -1 WHEN signed > {high!r} THEN {inner} ELSE {place} END::INTEGER, "
            f"count(*) FROM {_NUMBERS} GROUP BY ALL"
        ).fetchall()
    )
    edges = [low + number * width for number in range(inner)] + [high]
    bins = [Bin(low=edges[number], high=edges[number + 1], rows=counts.get(number, 0)) for number in range(inner)]
    if -1 in counts:
        bins.insert(0, Bin(low=least, high=low, rows=counts[-1]))
    if inner in counts:
        bins.append(Bin(low=high, high=most, rows=counts[inner]))
    return bins
