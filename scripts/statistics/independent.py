"""Independent requests: a share of a shadow's pairs, with a look after each request."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .streams import LENGTH, SEED, STREAMS, ever_excluded, percent
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
