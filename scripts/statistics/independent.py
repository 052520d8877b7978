"""Independent requests: a share of a shadow's pairs, with a look after each request."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binom

from jupyter_deploy.domain.evidence.verdict import AGREEMENT, OF_FOUR

from .streams import LENGTH, SEED, STREAMS, ever_excluded, first_look, percent, refuting_counts
from .table import Row


def rows() -> Iterator[Row]:
    """Measure how often the true share is ever excluded."""
    for share in (0.01, 0.5, 0.99):
        events = np.random.default_rng(SEED).random((STREAMS, LENGTH)) < share
        yield Row(
            f"{STREAMS:,} streams of {LENGTH:,} independent pairs, share {share:g}",
            "true share ever excluded",
            "≤ 5 %",
            percent(ever_excluded(events, share)),
        )
    for share in (1.0, 0.997):
        agreed = np.random.default_rng(SEED).random((STREAMS, LENGTH)) < share
        shown = agreed.cumsum(axis=1, dtype=np.int32) >= refuting_counts(AGREEMENT)[1]
        often, median = first_look(shown, np.arange(1, LENGTH + 1))
        yield Row(
            f"true agreement {share:.1%}",
            "requests until an agreement of 99 % is shown (median)",
            f"{_fixed(share):,} with one look",
            f"{median:,.0f}",
            f"in {percent(often)} of the streams",
        )
    drop = np.random.default_rng(SEED).random((STREAMS, LENGTH)) < 0.97
    shown = drop.cumsum(axis=1, dtype=np.int32) <= refuting_counts(AGREEMENT, OF_FOUR)[0]
    often, median = first_look(shown, np.arange(1, LENGTH + 1))
    yield Row(
        "true agreement 97.0%",
        "requests until less than 99 % is shown (median)",
        f"{_fixed(0.97, 1 - OF_FOUR):,} with one look",
        f"{median:,.0f}",
        f"in {percent(often)} of the streams",
    )


def _fixed(share: float, error: float = 0.05) -> int:
    """Requests in which the exact binomial test of one look shows ``share`` next to 99 % with a power of 80 %."""
    for n in range(1, LENGTH):
        if share > AGREEMENT:
            least = int(binom.isf(error, n, AGREEMENT)) + 1
            power = binom.sf(least - 1, n, share) if least <= n else 0.0
        else:
            most = int(binom.ppf(error, n, AGREEMENT)) - 1
            power = binom.cdf(most, n, share)
        if power >= 0.8:
            return n
    raise ValueError(f"{LENGTH} requests do not suffice")
