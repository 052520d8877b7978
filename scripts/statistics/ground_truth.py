"""Ground truth as it arrives: the difference of two accuracies on the same rows, with a look at every label."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from jupyter_deploy.domain.evidence.sequential import median_ranks

from .streams import SEED, Floats, evidence, first_look, looks, percent, sampled_counts
from .table import Row

_STREAMS, _LENGTH = 4000, 4000
_LIMIT = log(20)
_MARGIN = -0.01


def rows() -> Iterator[Row]:
    """Measure false rates, and the labels until a decision."""
    for gained, lost in ((0.02, 0.02), (0.1, 0.1), (0.0, 0.01)):
        above, below, _ = _shown(gained, lost, gained - lost)
        scenario = f"candidate alone right in {gained:.0%}, stable alone in {lost:.0%} of the rows"
        yield Row(scenario, "true difference ever excluded", "≤ 5 %", percent(_ever(above | below)))
    above, _, _ = _shown(0.04, 0.05, _MARGIN)
    scenario = "candidate 1 point less accurate (4 against 5 % alone right)"
    yield Row(scenario, "`accuracy_difference >= -0.01` ever met", "≤ 5 %", percent(_ever(above)))
    for gained, lost in ((0.01, 0.01), (0.005, 0.005)):
        above, _, at = _shown(gained, lost, _MARGIN)
        often, median = first_look(above, at)
        scenario = f"equally accurate, {gained + lost:.0%} of the rows answered differently"
        fixed = (gained + lost) * ((1.645 + 0.842) / _MARGIN) ** 2
        yield Row(
            scenario,
            "labels until `accuracy_difference >= -0.01` is met (median)",
            f"{fixed:,.0f} with one look",
            f"{median:,.0f}",
            f"in {percent(often)} of the streams",
        )
    yield from _absolute_errors()
    yield from _missing()


def _shown(gained: float, lost: float, difference: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    drawn = np.random.default_rng(SEED).random((_STREAMS, _LENGTH))
    kinds = np.where(drawn < gained, 1, np.where(drawn < gained + lost, 2, 0))
    at = looks(_LENGTH, 100)
    _, above, below = evidence(sampled_counts(kinds, 3, at), np.array([0.0, 1.0, -1.0]), -1.0, difference)
    return above >= _LIMIT, below >= _LIMIT, at


def _absolute_errors() -> Iterator[Row]:
    """Losses with heavy tails (Student's t with 2 degrees of freedom), equally good models."""
    chance = np.random.default_rng(SEED)
    differences = np.abs(chance.standard_t(2, (_STREAMS, 2000))) - np.abs(chance.standard_t(2, (_STREAMS, 2000)))
    missed = np.zeros(_STREAMS, dtype=bool)
    for n in looks(2000, 60):
        ranks = median_ranks(int(n))
        if ranks is not None:
            below = (differences[:, :n] < 0).sum(axis=1)
            missed |= (below < ranks[0]) | (below >= ranks[1])
    scenario = "numbers, errors of both with heavy tails (t with 2 degrees of freedom)"
    yield Row(scenario, "true median of the differences ever excluded", "≤ 5 %", percent(float(missed.mean())))


def _missing() -> Iterator[Row]:
    """Labels only of requests that both answer alike: the candidate is 2 points worse, and no label shows it."""
    chance = np.random.default_rng(SEED)
    worse = chance.random((_STREAMS, 2000)) < 0.02
    labelled = ~worse | (chance.random(worse.shape) < 0.05)
    at = looks(2000)
    kinds = np.where(labelled, np.where(worse, 2, 0), 3)
    _, above, _ = evidence(sampled_counts(kinds, 3, at), np.array([0.0, 1.0, -1.0]), -1.0, _MARGIN)
    yield Row(
        "candidate 2 points less accurate, labels of 5 % of the rows that show it and of all others",
        "`accuracy_difference >= -0.01` ever met",
        "≤ 5 %",
        percent(_ever(above >= _LIMIT)),
        "a note warns if the labelled share is under 80 % or depends on release, class or age; else nothing can",
    )


def _ever(shown: np.ndarray | Floats) -> float:
    return float(np.asarray(shown).any(axis=1).mean())
