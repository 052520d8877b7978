"""A figure and its interval."""

from __future__ import annotations

from jupyter_deploy.domain.base import Value


class Interval(Value):
    low: float
    high: float
    level: float = 0.95


class Estimate(Value):
    """A figure with its interval; ``n`` is the number of observations."""

    value: float
    interval: Interval
    n: int
