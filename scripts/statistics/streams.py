"""Streams of simulated requests, and the counts at which the package's sequences decide. All vectorised."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.evidence.sequential import proportion

STREAMS, LENGTH, SEED = 4000, 10_000, 20261129

Counts = NDArray[np.int32]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@cache
def refuting_counts(share: float, level: float = 0.95, length: int = LENGTH) -> tuple[Counts, Counts]:
    """For each length of a stream the largest count that shows less than ``share``, the smallest that shows more."""
    low, high, lows, highs = -1, 0, [], []
    for n in range(1, length + 1):
        while low + 1 <= n and proportion(low + 1, n).below(share, level):
            low += 1
        while high <= n and not proportion(high, n).above(share, level):
            high += 1
        lows.append(low)
        highs.append(high)
    return np.array(lows, np.int32), np.array(highs, np.int32)


def ever_excluded(events: Flags, share: float, level: float = 0.95) -> float:
    """Return the share of streams (rows) in which the interval ever excludes ``share``, looking after each event."""
    lows, highs = refuting_counts(share, level, events.shape[1])
    counts = events.cumsum(axis=1, dtype=np.int32)
    return float(((counts <= lows) | (counts >= highs)).any(axis=1).mean())


NODES = 96
"""Nodes of the midpoint rule over all bets: enough for about a thousand informative values."""

_BETS = np.concatenate([[0.0], np.sin((np.arange(NODES) + 0.5) * np.pi / (2 * NODES)) ** 2, [1.0]])
_LOG_WEIGHTS = np.log(np.concatenate([[0.25], np.full(NODES, 0.5 / NODES), [0.25]]))


def log_wealth(counts: Floats, values: Floats, mean: float) -> Floats:
    """Return the log wealth of the package's mixture against ``mean``, for many streams together.

    It is ``domain.evidence.sequential._log_wealth``: half of the wealth by Beta(½, ½) over the bets, a quarter each on
    all high and all low.

    Parameters
    ----------
    counts
        How often each value came; the last axis is that of ``values``.
    values
        Between 0 and 1.
    """
    with np.errstate(divide="ignore"):
        payoffs = np.log(np.outer(values, _BETS) / mean + np.outer(1 - values, 1 - _BETS) / (1 - mean))
    logs = counts @ np.maximum(payoffs, -1e9) + _LOG_WEIGHTS
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]).sum(axis=-1)))


def evidence(counts: Floats, values: Floats, low: float, mean: float) -> tuple[Floats, Floats, Floats]:
    """Return the mean of each stream of values from ``low`` to 1, and its evidence above and below ``mean``.

    As ``Mean.log_evidence_above`` and ``_below``, without the wealth at a stream's own mean on the other side of
    ``mean``: that side has evidence 0.
    """
    n = np.maximum(counts.sum(axis=-1), 1)
    own = counts @ values / n
    wealth = log_wealth(counts, (values - low) / (1 - low), (mean - low) / (1 - low))
    return own, np.where(own > mean, wealth, 0.0), np.where(own < mean, wealth, 0.0)


def looks(length: int, number: int = 250) -> NDArray[np.int64]:
    """Return the moments of the looks: after each of the first requests, then ever rarer ones, and after the last."""
    return np.unique(np.geomspace(5, length, number).astype(np.int64))


def sampled_counts(kinds: NDArray[np.int64], number: int, at: NDArray[np.int64]) -> Floats:
    """Return how often each of ``number`` kinds came up to each look: (streams, looks, kinds)."""
    return np.stack(
        [(kinds == kind).cumsum(axis=1, dtype=np.int32)[:, at - 1] for kind in range(number)], axis=-1
    ).astype(float)


def first_look(shown: Flags, at: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share of streams in which it was ever shown, and the median of the requests until then (or inf)."""
    when = np.where(shown.any(axis=1), at[shown.argmax(axis=1)], np.inf)
    return float(shown.any(axis=1).mean()), float(np.median(when))


def percent(share: float) -> str:
    """Format a share of streams."""
    return f"{share:.1%}"
