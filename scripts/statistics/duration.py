"""Forecasts of the requests until a verdict, next to the requests that it then took."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jupyter_deploy.domain.evidence.forecast import smallest, smallest_drop
from jupyter_deploy.domain.evidence.sequential import proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT, OF_FOUR

from .streams import SEED, percent, refuting_counts
from .table import Row

_STREAMS, _LENGTH, _FORECAST_AT = 500, 20_000, 300


def rows() -> Iterator[Row]:
    """Measure how far the forecast after 300 requests is from what came."""
    for share in (1.0, 0.998, 0.97, 0.95):
        yield from _forecasts(share)
    drop = smallest_drop(2000) or 0.0
    counts = (np.random.default_rng(SEED).random((_STREAMS * 4, 2000)) < AGREEMENT - drop).sum(axis=1)
    shown = (counts <= refuting_counts(AGREEMENT, OF_FOUR, 2000)[0][-1]).mean()
    yield Row(
        f"agreement {drop * 100:.2g} points below 99 %, the smallest effect that 2,000 requests could show",
        "shown after 2,000 requests",
        "about 50 %",
        percent(float(shown)),
    )


def _forecasts(share: float) -> Iterator[Row]:
    agreed = np.random.default_rng(SEED).random((_STREAMS, _LENGTH)) < share
    counts = agreed.cumsum(axis=1, dtype=np.int32)
    decided = (counts >= refuting_counts(AGREEMENT, length=_LENGTH)[1]) | (
        counts <= refuting_counts(AGREEMENT, OF_FOUR, _LENGTH)[0]
    )
    waiting = ~decided[:, :_FORECAST_AT].any(axis=1)
    real = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, np.inf)
    known = {count: _forecast(int(count)) for count in np.unique(counts[waiting, _FORECAST_AT - 1])}
    expected = np.array([known[count] for count in counts[waiting, _FORECAST_AT - 1]])
    with np.errstate(invalid="ignore"):
        ratio = real[waiting] / expected
    low, median, high = np.nanquantile(np.where(np.isfinite(ratio), ratio, np.nan), [0.1, 0.5, 0.9])
    yield Row(
        f"true agreement {share:.1%}, forecast after {_FORECAST_AT} requests",
        "requests that it took, by the forecast: median (10th to 90th percentile)",
        "about 1",
        f"{median:.2f} ({low:.2f} to {high:.2f})",
        f"of the {percent(float(waiting.mean()))} of the streams without a verdict by then",
    )


def _forecast(count: int) -> float:
    share = count / _FORECAST_AT

    def decided(factor: float) -> bool:
        n = round(_FORECAST_AT * factor)
        seen = proportion(min(round(share * n), n), n)
        return seen.above(AGREEMENT) or seen.below(AGREEMENT, OF_FOUR)

    factor = smallest(decided, 10_000_000 / _FORECAST_AT)
    return np.inf if factor is None else factor * _FORECAST_AT
