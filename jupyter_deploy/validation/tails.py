"""Warning of metrics that a few rows decide."""

from __future__ import annotations

from jupyter_deploy.domain.validation.validation import Metric

SHARES = {"mean": 0.3, "rms": 0.2}
"""The share of the sum from which the largest 1 % of the rows, or of their squares, are warned of.

Of normal errors the largest squares carry about 8 %; of Student's with 3 degrees of freedom over 20 % in nine of ten
samples of 1,000, and over 30 % in four of ten.
"""

FEWEST_ROWS = {"mean": 50, "rms": 150}
"""With fewer rows, the largest of ordinary rows often carries that share, or a heavy tail does not show."""


def tail_warning(metric: Metric) -> str:
    """Return a warning if the largest 1 % of a mean's or RMSE's rows carry much of the sum; else empty.

    The bootstrap's interval of such a metric is too narrow: the next sample may hold a larger row, or none. Of few rows
    of an RMSE nothing shows that, so that they are warned of anyway.
    """
    import numpy as np  # only the judge needs it

    if metric.statistic not in ("mean", "rms") or metric.rows is None:
        return ""
    if len(metric.rows) < FEWEST_ROWS[metric.statistic]:
        return f"{len(metric.rows)} rows are few for an RMSE" if metric.statistic == "rms" else ""
    rows = np.asarray(metric.rows)
    if metric.statistic == "mean" and set(np.unique(rows[:1000])) <= {0.0, 1.0} and np.isin(rows, (0.0, 1.0)).all():
        return ""
    with np.errstate(over="ignore"):
        parts = np.sort(np.square(rows) if metric.statistic == "rms" else np.abs(rows))[::-1]
    total = float(parts.sum())
    largest = float(parts[: -(-len(parts) // 100)].sum())
    if not 0 < total < np.inf or largest <= SHARES[metric.statistic] * total:
        return ""
    of = "squares" if metric.statistic == "rms" else "rows"
    return f"heavy tail: the largest 1 % of the {of} carry {100 * largest / total:.0f} % of the sum"
