"""Statistics of a metric's rows, by name. Pure and light.

The kernel that measures, the runner that reads and the judge that resamples share them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

METRIC_MIME = "application/vnd.nbdeploy.metric+json"
"""The MIME type that a notebook's cell displays for each metric and check, in any language: see docs/validation.md."""

RECORDED = "NBDEPLOY_RECORDING"
"""Set in a validation's kernel: each document has a number there, so that a lost one is detected; under the same key a
cell's reply has the count."""

STATISTICS: dict[str, str] = {
    "mean": "the rows' arithmetic mean; of zeros and ones it is a share",
    "median": "the middle row",
    "rms": "the square root of the mean of the rows' squares: of errors it is the RMSE",
    "p50": "the 50th percentile, which is the median",
    "p90": "the 90th percentile",
    "p95": "the 95th percentile",
    "p99": "the 99th percentile",
    "min": "the smallest row",
    "max": "the largest row",
    "sum": "all rows together",
}
"""Name -> description. A percentile is linear between the two nearest rows (R's type 7, numpy's default)."""

EXTREMES = ("min", "max", "sum")
"""Statistics without an interval: they are taken as exact."""

QUANTILES = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""The share of the rows below a percentile."""

_SHARES = {**QUANTILES, "min": 0.0, "max": 1.0}


def statistic_of(name: str, rows: Sequence[float]) -> float:
    """Compute a statistic of at least one row; percentiles by type 7 of Hyndman and Fan (1996).

    Raises
    ------
    ValueError
        The statistic is unknown, or there are no rows.
    """
    if name not in STATISTICS:
        raise ValueError(f"'{name}' is no statistic; there are {', '.join(STATISTICS)}")
    if not rows:
        raise ValueError("there are no rows")
    if name in _SHARES:
        return _percentile(sorted(rows), _SHARES[name])
    if name == "rms":
        return math.sqrt(math.fsum(row * row for row in rows) / len(rows))
    total = math.fsum(rows)
    return total if name == "sum" else total / len(rows)


def _percentile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    rest = position - low
    # At a row's own position return that row: no rounding, and no row beyond the last.
    return ordered[low] + rest * (ordered[low + 1] - ordered[low]) if rest else ordered[low]
