"""Warning of metrics that a few rows decide."""

from __future__ import annotations

from jupyter_deploy.domain.validation.validation import Metric

SHARE = 0.3
"""The share of the sum from which the largest 1 % of the rows are warned of."""

FEWEST_ROWS = 50
"""With fewer rows, the largest of ordinary rows often carries that share."""


def tail_warning(metric: Metric) -> str:
    """Return a warning if the largest 1 % of a mean's or RMSE's rows carry over 30 % of the sum; else empty.

    The bootstrap's interval of such a metric is too narrow: the next sample may hold a larger row, or none. Of few rows
    of an RMSE nothing shows that, so that they are warned of anyway.
    """
    import numpy as np  # only the judge needs it

    if metric.statistic not in ("mean", "rms") or metric.rows is None:
        return ""
    if len(metric.rows) < FEWEST_ROWS:
        return f"{len(metric.rows)} rows are few for an RMSE" if metric.statistic == "rms" else ""
    rows = np.asarray(metric.rows)
    if metric.statistic == "mean" and set(np.unique(rows[:1000])) <= {0.0, 1.0} and np.isin(rows, (0.0, 1.0)).all():
        return ""
    with np.errstate(over="ignore"):
        parts = np.sort(np.square(rows) if metric.statistic == "rms" else np.abs(rows))[::-1]
    total = float(parts.sum())
    largest = float(parts[: -(-len(parts) // 100)].sum())
    if not 0 < total < np.inf or largest <= SHARE * total:
        return ""
    of = "squares" if metric.statistic == "rms" else "rows"
    return f"heavy tail: the largest 1 % of the {of} carry {100 * largest / total:.0f} % of the sum"
