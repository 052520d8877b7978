"""The detector of a release's drift: counts of its values by bin, the evidence in them, and the alarms. Pure.

An e-detector (J. Shin, A. Ramdas, A. Rinaldo 2024, E-detectors: a nonparametric framework for sequential change
detection, New England Journal of Statistics in Data Science 2): a new bettor starts at every hundredth unit, since
drift may begin at any of them. The wealth of all is averaged with weights that are set in advance and sum to 1: over
the starts, and over the features. The average is an e-process, so it ever exceeds ``1 / a`` with a probability of at
most ``a`` in a run without drift, however long it is and however often one looks. After an alarm a new run begins for
the features that it names, a thousand units later; the others' runs go on, so a strong drift hides no weak one.

Bettors that would cost memory and are no longer needed are dropped, which makes the evidence smaller: one that started
at ``k 2^m`` blocks, with odd ``k``, stays for ``8 2^m`` blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, log
from operator import add
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .evidence import hellinger_of, log_evidence, most_log_evidence, sampling_error
from .sketch import FeatureSketch

FALSE_ALARMS = 0.01
"""The probability of a false alarm in a run, of any length."""

EFFECT = 0.01
"""Drift of less than this many standard deviations, beyond the reference's sampling error, is not reported."""

BLOCK = 100
"""Units between two starts of bettors."""

_EARLY = 25
"""Units between two looks at the evidence in a run's first blocks, and units before the first look."""

OF_REFERENCE = 0.2
"""The part of ``FALSE_ALARMS`` for a reference that is further from the truth than its tolerance."""

_NEGLIGIBLE = 5.0
"""A bettor with less than ``exp(-5)`` of the evidence that an alarm needs is left out."""

_PAUSE_BLOCKS = 10
"""A drift that stays raises another alarm after this pause at the earliest."""

_LEAST_PART = 0.1
"""An alarm names the features with at least this part of the evidence, and those whose own suffices."""

_LONGEST = 40.0


class Mark(BaseModel):
    """The request at which something happened."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    request_id: str
    ts: str = Field(description="ISO 8601, UTC.")


class Start(BaseModel):
    """A bettor: its block, its first request, and the counts before it by feature and bin."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    block: int
    mark: Mark
    before: list[list[float]]


class FeatureAlarm(BaseModel):
    """A feature's part in an alarm: its evidence, the begin of the most successful bettor, and its counts since."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str
    evidence: float
    alone: bool = Field(description="The feature's own evidence suffices for the alarm.")
    since: Mark
    counts: list[float]


class Alarm(BaseModel):
    """An alarm: the request at which the evidence sufficed, and the features with the largest part in it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    at: Mark
    units: int = Field(description="Units of the longest run that the alarm ends.")
    evidence: float
    features: list[FeatureAlarm]


class DayStart(Start):
    """A bettor that began with a day (``block``), and the gains of each bet before it, by feature."""

    gains: list[list[float]]


class Days(BaseModel):
    """The gains of the days that are over, and the present day.

    Attributes
    ----------
    day
        The present day's number (proleptic, UTC); None: there was no request.
    count
        Days that are over.
    last
        The present day's last request.
    hours
        Requests of the present day by hour.
    before
        Counts by feature and bin when it began.
    gains
        By feature and bet: the logarithm of its gains on all days that are over.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    day: int | None = None
    count: int = 0
    last: Mark | None = None
    hours: dict[int, int] = {}
    before: list[list[float]] = []
    gains: list[list[float]] = []
    starts: list[DayStart] = []


class Run(BaseModel):
    """The counts of all units, and those before each bettor's start.

    Attributes
    ----------
    begins
        By feature: the block at which its run began, the first one or one after its last alarm.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    units: int = 0
    begins: list[int] = []
    totals: list[list[float]] = []
    starts: list[Start] = []
    days: Days | None = Field(default=None, description="Of a reference whose rows have times.")


class Detector:
    """Adds units to a run and raises alarms.

    Parameters
    ----------
    features
        The reference's sketches. Inputs and answers have half of the weight each, all features of a group the same.
    run
        The run to continue.
    """

    def __init__(self, features: Sequence[FeatureSketch], run: Run) -> None:
        self._features = features
        self.run = run
        groups = {feature.group for feature in features}
        sizes = {group: sum(feature.group == group for feature in features) for group in groups}
        self.weights = [1 / (len(groups) * sizes[feature.group]) for feature in features]
        self.tolerances = [
            tolerance_of(feature, FALSE_ALARMS * OF_REFERENCE * weight)
            for feature, weight in zip(features, self.weights, strict=True)
        ]
        if not run.totals:
            run.totals = [[0.0] * len(feature.counts) for feature in features]
            run.begins = [0] * len(features)

    def add(self, bins: Mapping[int, Mapping[int, float]], mark: Mark) -> Alarm | None:
        """Add a unit, and return the alarm that its evidence raises.

        Parameters
        ----------
        bins
            By feature's place: the shares of the unit's rows by bin.
        """
        self.begin_block(mark)
        for place, shares in bins.items() if self.takes(mark) else ():
            counts = self.run.totals[place]
            for one, share in shares.items():
                counts[one] += share
        return self.counted(1, mark)

    def add_many(self, counts: Sequence[Sequence[float]], units: int, mark: Mark) -> Alarm | None:
        """Add several units of one block, given as counts by feature and bin; the evidence is looked at once."""
        self.begin_block(mark)
        if self.takes(mark):
            for total, more in zip(self.run.totals, counts, strict=True):
                total[:] = map(add, total, more)
        return self.counted(units, mark)

    def begin_block(self, mark: Mark) -> None:
        """Start a bettor if the next unit is the first of a block."""
        if self.run.units % BLOCK == 0:
            self._start(mark)

    def counted(self, units: int, mark: Mark) -> Alarm | None:
        """Note that units of one block were added to the totals, and look at the evidence if it is time."""
        self.run.units += units
        return None if self.run.units % pause(self.run.units) else self._alarm(mark)

    def evidence(self, least: float = -inf) -> tuple[float, list[float]]:
        """Return the logarithm of the present evidence, and that of each feature with its weight.

        ``least``: bettors with less log-evidence are left out, which saves their time.
        """
        parts = [log_sum(each for each, _ in self.bettors(place, least)) for place in range(len(self._features))]
        return log_sum(parts), parts

    def _start(self, mark: Mark) -> None:
        run, block = self.run, self.run.units // BLOCK
        firsts = set(run.begins)
        run.starts = [start for start in run.starts if start.block in firsts or stays(start.block, block, 8)]
        run.starts.append(Start(block=block, mark=mark, before=[list(counts) for counts in run.totals]))

    def bettors(
        self, place: int, least: float = -inf, starts: Sequence[Start] | None = None
    ) -> list[tuple[float, Start]]:
        """Return each bettor's log-evidence on a feature, with its weight, if it may be at least ``least``.

        ``starts``: the bettors that may have so much; None: any.
        """
        feature, weight = self._features[place], self.weights[place]
        total, found = self.run.totals[place], []
        begin = self.run.begins[place]
        for start in self.run.starts if starts is None else starts:
            if start.block < begin:
                continue
            counts = [max(all_ - before, 0.0) for all_, before in zip(total, start.before[place], strict=True)]
            prior = log(weight * start_weight(start.block - begin))
            if most_log_evidence(counts, feature.shares, self.tolerances[place]) + prior <= least:
                continue
            value = log_evidence(counts, feature.shares, self.tolerances[place], feature.log_bets)
            if value > -inf:
                found.append((value + prior, start))
        return found

    def units_since(self, block: int) -> int:
        """Return the units since a block."""
        return self.run.units - BLOCK * block

    def next_begin(self) -> int:
        """Return the block with which a run begins after an alarm."""
        return self.run.units // BLOCK + _PAUSE_BLOCKS

    def takes(self, mark: Mark) -> bool:  # noqa: ARG002 - all are, without hours
        """Whether units of a moment are evidence."""
        return True

    def _alarm(self, mark: Mark) -> Alarm | None:
        enough = -log(FALSE_ALARMS * (1 - OF_REFERENCE))
        evidence, parts = self.evidence(enough - _NEGLIGIBLE)
        if evidence < enough:
            return None
        least = min(evidence + log(_LEAST_PART), enough)
        named = sorted((place for place, part in enumerate(parts) if part >= least), key=lambda place: -parts[place])
        features = []
        for place in named[:20]:
            _, best = max(self.bettors(place), key=lambda pair: pair[0])
            counts = [now - was for now, was in zip(self.run.totals[place], best.before[place], strict=True)]
            features.append(
                FeatureAlarm(
                    name=self._features[place].name,
                    evidence=_bounded(parts[place]),
                    alone=parts[place] >= enough,
                    since=best.mark,
                    counts=[round(count, 3) for count in counts],
                )
            )
        units = self.units_since(min(self.run.begins[place] for place in named))
        for place in named:
            self.run.begins[place] = self.next_begin()
        return Alarm(at=mark, units=units, evidence=_bounded(evidence), features=features)


def tolerance_of(feature: FeatureSketch, chance: float) -> float:
    """Return the distance from the reference's shares that is no drift: its sampling error and the stated effect."""
    return tolerance_of_rows(feature.rows, len(feature.counts), chance)


def tolerance_of_rows(rows: float, bins: int, chance: float) -> float:
    """Return ``tolerance_of`` a feature of so many rows and bins."""
    return min(hellinger_of(EFFECT) + sampling_error(rows, bins, chance), 1.0)


def log_sum(values: Any) -> float:
    """Return the logarithm of the sum of numbers given as logarithms."""
    found = [value for value in values if value > -inf]
    if not found:
        return -inf
    most = max(found)
    return float(most + log(sum(exp(value - most) for value in found)))


def pause(units: int) -> int:
    """Return the units between two looks at the evidence: at most a hundredth of a long run."""
    return _EARLY if units <= 10 * BLOCK else BLOCK * max(units // (100 * BLOCK), 1)


def start_weight(block: int) -> float:
    """Return the weight of the bettor of a block: they sum to 1 over all blocks."""
    return 1 / (1 + log(1 + block)) - 1 / (1 + log(2 + block))


def stays(start: int, block: int, blocks: int) -> bool:
    """Whether a bettor still stays; ``blocks``: for how many one does that began at an odd block."""
    return start == 0 or block - start <= blocks * (start & -start)


def _bounded(evidence: float) -> float:
    return round(min(exp(min(evidence, _LONGEST)), 1e15), 3)
