"""A canary against stable: inverse propensity next to a comparison with stable's whole past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
from scipy.stats import binom

from jupyter_deploy.comparison.shared_figures import CENTRES
from jupyter_deploy.domain.evidence.sequential import Difference
from jupyter_deploy.domain.evidence.verdict import MARGIN, OF_THREE

from .streams import SEED, Flags, Floats, evidence, first_look, log_wealth, looks, percent, sampled_counts
from .table import Row

_STREAMS, _LENGTH = 1000, 10_000
_LIMIT = log(20)
_BEFORE = "not the product: the comparison before"


class Ramp:
    """Streams of requests that a canary shares: its share, and the chances of an error, change over the stream.

    Parameters
    ----------
    shares
        The canary's share in each part of the stream; all parts are of equal length.
    canary, stable
        The chance of an error in each part.
    """

    def __init__(
        self,
        shares: Sequence[float],
        canary: Sequence[float],
        stable: Sequence[float],
        *,
        seed: int,
    ) -> None:
        chance = np.random.default_rng(seed)
        self.shares = shares
        part = np.arange(_LENGTH) * len(shares) // _LENGTH
        self.part = part
        self.routed = chance.random((_STREAMS, _LENGTH)) < np.array(shares)[part]
        drawn = chance.random((_STREAMS, _LENGTH))
        self.failed = drawn < np.where(self.routed, np.array(canary)[part], np.array(stable)[part])
        self.at = looks(_LENGTH)

    def evidence(self, difference: float) -> tuple[Flags, Flags]:
        """Return whether the difference is shown to be above, and below, at each look: (streams, looks)."""
        above, below, total, units = 0.0, 0.0, 0.0, 0.0
        for number, share in enumerate(self.shares):
            low = -share / (1 - share)
            kinds = np.where(self.failed, np.where(self.routed, 1, 2), 0)
            kinds = np.where(self.part == number, kinds, 3)
            counts = sampled_counts(kinds, 3, self.at)
            own, over, under = evidence(counts, np.array([0.0, 1.0, low]), low, share * difference)
            n = counts.sum(axis=-1)
            above, below = above + over * (n > 0), below + under * (n > 0)
            total, units = total + own / share * n, units + n
        value = np.asarray(total / np.maximum(units, 1))
        return (np.asarray(above) >= _LIMIT) & (value > difference), (np.asarray(below) >= _LIMIT) & (
            value < difference
        )

    def stopped(self) -> Flags:
        """Return whether the canary's part of the errors is shown to be above its share: (streams, looks)."""
        logs, more = np.zeros((_STREAMS, len(self.at))), np.zeros((_STREAMS, len(self.at)))
        for number, share in enumerate(self.shares):
            kinds = np.where(self.failed & (self.part == number), np.where(self.routed, 1, 0), 2)
            counts = sampled_counts(kinds, 2, self.at)
            n = counts.sum(axis=-1)
            over = counts[..., 1] > share * n
            logs += np.where(over, log_wealth(counts, np.array([0.0, 1.0]), share), 0.0)
            more += counts[..., 1] - share * n
        return (logs >= -log(1 - OF_THREE)) & (more > 0)

    def old(self, incident: float = 0.0, before: int = 0) -> Flags:
        """Return whether the old comparison excludes equality: stable's past of ``before`` requests counts."""
        found = []
        for stream in range(0, _STREAMS, 10):
            canary = (self.failed & self.routed)[stream].cumsum()
            stable = (self.failed & ~self.routed)[stream].cumsum()
            n = self.routed[stream].cumsum()
            row = []
            for look in self.at[::10]:
                others = look - n[look - 1] + before
                seen = Difference(
                    int(canary[look - 1]), int(n[look - 1]), stable[look - 1] + incident * before, int(others)
                )
                row.append(bool(n[look - 1]) and (seen.above(0) or seen.below(0)))
            found.append(row)
        return np.array(found)


def rows() -> Iterator[Row]:
    """Measure false rates and requests until a decision."""
    yield from _null("constant share of 5 %, errors 1 %", Ramp([0.05], [0.01], [0.01], seed=SEED))
    moving = [0.01, 0.08, 0.02, 0.05]
    yield from _null("constant share of 20 %, errors move 1-8-2-5 %", Ramp([0.2] * 4, moving, moving, seed=SEED + 1))
    ramp = Ramp([0.05, 0.2, 0.5, 0.8], moving, moving, seed=SEED + 2)
    yield from _null("share 5-20-50-80 %, errors move 1-8-2-5 % with it", ramp)
    later = Ramp([0.2], [0.08], [0.08], seed=SEED + 6)
    yield Row(
        "share 20 %, errors 8 % of both, 1 % in stable's 20,000 requests before",
        "equality ever excluded, with stable's whole past",
        "≤ 5 %",
        percent(_ever(later.old(incident=0.01, before=20_000))),
        _BEFORE,
    )
    yield Row("the same", "equality ever excluded", "≤ 5 %", percent(_ever(np.logical_or(*later.evidence(0.0)))))
    worse = Ramp([0.05, 0.2, 0.5], [0.02, 0.03, 0.02], [0.01, 0.02, 0.01], seed=SEED + 3)
    yield Row(
        "1 point more errors, share 5-20-50 %",
        'ever called "errors no worse"',
        "≤ 5 %",
        percent(_ever(worse.evidence(MARGIN)[1])),
    )
    yield from _answers()
    yield from _power()


def _null(scenario: str, ramp: Ramp) -> Iterator[Row]:
    above, below = ramp.evidence(0.0)
    yield Row(f"{scenario}, equal releases", "true difference ever excluded", "≤ 5 %", percent(_ever(above | below)))
    yield Row(f"{scenario}, equal releases", "false `stop`", "≤ 1.7 %", percent(_ever(ramp.stopped())))


def _answers() -> Iterator[Row]:
    """An answer that is given in 10, then in 40 % of the requests, while the canary grows from 5 to 50 %."""
    chance = np.random.default_rng(SEED + 7)
    streams, half = _STREAMS // 2, _LENGTH // 2
    part = np.arange(_LENGTH) // half
    routed = chance.random((streams, _LENGTH)) < np.array([0.05, 0.5])[part]
    answer = chance.random((streams, _LENGTH)) < np.array([0.1, 0.4])[part]
    guesses = _guesses(answer)
    at = looks(_LENGTH, 60)
    above, below = np.zeros((streams, len(at))), np.zeros((streams, len(at)))
    for number, share in enumerate((0.05, 0.5)):
        kinds = (guesses * 2 + answer) * 2 + routed
        known = np.unique(kinds[:, part == number])
        kinds = np.where(part == number, np.searchsorted(known, np.minimum(kinds, known[-1])), len(known))
        centred = (known // 2 % 2 - known // 4 / CENTRES) * min(share, 1 - share)
        values = np.where(known % 2, centred / share, -centred / (1 - share))
        _, over, under = evidence(sampled_counts(kinds, len(known), at), values, -1.0, 0.0)
        above, below = above + over, below + under
    wrong = ((above >= _LIMIT) | (below >= _LIMIT)).any(axis=1).mean()
    scenario = "an answer's frequency moves from 10 to 40 % as the share does from 5 to 50 %, equal releases"
    yield Row(scenario, "true difference ever excluded", "≤ 5 %", percent(float(wrong)))


def _guesses(answer: Flags) -> np.ndarray:
    """Return the guess of each request, in parts of ``CENTRES``: the pooled share of all blocks before its own."""
    places = np.arange(1, answer.shape[1] + 1)
    blocks = np.floor(2 * np.log2(places)).astype(int)
    starts = np.searchsorted(blocks, blocks)  # of the own block: so many requests are before it
    before = np.concatenate([np.zeros((len(answer), 1)), answer.cumsum(axis=1)], axis=1)
    return np.asarray(np.rint(CENTRES * before[:, starts] / np.maximum(starts, 1)).astype(int))


def _power() -> Iterator[Row]:
    good = Ramp([0.2], [0.001], [0.001], seed=SEED + 4)
    often, median = first_look(good.evidence(MARGIN)[1], good.at)
    yield Row(
        "share 20 %, errors 0.1 % of both",
        'requests until "errors no worse" (median)',
        f"{_fixed(0.2, 0.001):,.0f} with one look",
        f"{median:,.0f}",
        f"in {percent(often)} of the streams; before 7,620",
    )
    bad = Ramp([0.2], [0.03], [0.001], seed=SEED + 5)
    often, median = first_look(bad.stopped(), bad.at)
    yield Row(
        "share 20 %, errors 3 % against 0.1 %",
        "requests until `stop` (median)",
        f"{_fixed_stop(0.2, 0.03, 0.001):,.0f} with one look",
        f"{median:,.0f}",
        f"in {percent(often)} of the streams",
    )
    incident = _ever(bad.old(incident=0.05, before=20_000))
    yield Row(
        "the same after an incident of stable (1,000 errors before the canary)",
        "ever shown, with stable's whole past",
        "100 %",
        percent(incident),
        _BEFORE,
    )


def _fixed(share: float, errors: float) -> float:
    """Requests in which a test of one look excludes a difference of a point with a power of 80 %, by the normal law."""
    variance = errors * (1 - errors) * (1 / share + 1 / (1 - share))
    return variance * ((1.645 + 0.842) / MARGIN) ** 2


def _fixed_stop(share: float, canary: float, stable: float) -> float:
    """Requests in which the exact test of one look, on the canary's part of the errors, stops with a power of 80 %."""
    failing = share * canary + (1 - share) * stable
    for errors in range(1, 1000):
        least = int(binom.isf(1 - OF_THREE, errors, share)) + 1
        if binom.sf(least - 1, errors, share * canary / failing) >= 0.8:
            return errors / failing
    raise ValueError("a thousand errors do not suffice")


def _ever(shown: Flags | Floats) -> float:
    return float(np.asarray(shown).any(axis=1).mean())
