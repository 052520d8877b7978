"""Drift: false alarms of streams without drift, and the rows until an alarm of streams with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.drift.detector import BLOCK, FALSE_ALARMS, Detector, Mark, Run
from jupyter_deploy.domain.drift.sketch import FeatureSketch, sketch_of

from .streams import SEED, percent
from .table import Row

Rows = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Rows]
"""Draws rows of all features: (generator, number of rows, number of the first row); NaN is missing."""

_STEP = 25
_MARK = Mark(request_id="r", ts="2026-12-01T00:00:00+00:00")


@dataclass(frozen=True)
class Scenario:
    """A stream: how its reference and its live rows are drawn, and their numbers."""

    reference: Draw
    live: Draw
    reference_rows: int = 10_000
    live_rows: int = 20_000

    def rows_until_alarm(self, seed: int) -> int | None:
        """Return the live rows until the first alarm; None: there is none."""
        rng = np.random.default_rng(SEED + seed)
        table = self.reference(rng, self.reference_rows, 0)
        features = [sketch_of_column(str(at), column) for at, column in enumerate(table.T)]
        detector = Detector(features, Run())
        for first in range(0, self.live_rows, BLOCK):
            bins = bins_of(features, self.live(rng, BLOCK, first))
            step = _STEP if first < 10 * BLOCK else BLOCK
            for at in range(0, BLOCK, step):
                counts = [
                    np.bincount(of[at : at + step], minlength=len(feature.counts)).tolist()
                    for feature, of in zip(features, bins, strict=True)
                ]
                if detector.add_many(counts, step, _MARK) is not None:
                    return first + at + step
        return None


def sketch_of_column(name: str, column: Rows) -> FeatureSketch:
    """Return the sketch of a feature's values."""
    made = sketch_of(name, "inputs", [None if np.isnan(value) else float(value) for value in column])
    if made is None:
        raise ValueError("a column without values")
    return made


def bins_of(features: list[FeatureSketch], rows: Rows) -> list[NDArray[np.int64]]:
    """Return the bins of rows by feature, as ``FeatureSketch.bin_of`` does one by one."""
    found = []
    for feature, column in zip(features, rows.T, strict=True):
        bins = np.searchsorted(np.asarray(feature.edges), column, side="left")
        bins[column < feature.low] = feature.ordinary
        bins[column > feature.high] = feature.ordinary + 1
        bins[np.isnan(column)] = feature.ordinary + 2
        found.append(bins)
    return found


def normal(features: int, shift: float = 0.0, *, since: int = 0, correlation: float = 0.0) -> Draw:
    """Draw normal features, the first of them shifted from a row on."""

    def draw(rng: np.random.Generator, rows: int, first: int) -> Rows:
        common = rng.normal(size=(rows, 1))
        made = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=(rows, features))
        if first >= since:
            made[:, 0] += shift
        return made

    return draw


def seasonal(features: int, size: float, period: int = 1_000) -> Draw:
    """Draw features whose mean follows a cycle of rows; a reference of many cycles has all its phases."""

    def draw(rng: np.random.Generator, rows: int, first: int) -> Rows:
        phase = np.arange(first, first + rows) * 2 * np.pi / period
        return rng.normal(size=(rows, features)) + size * np.sin(phase)[:, None]

    return draw


def category(shares: tuple[float, ...]) -> Draw:
    """Draw nine normal features and one category, coded by its place."""

    def draw(rng: np.random.Generator, rows: int, first: int) -> Rows:
        codes = rng.choice(len(shares), size=rows, p=shares)
        return np.column_stack([codes.astype(float), normal(9)(rng, rows, first)])

    return draw


def missing(share: float) -> Draw:
    """Draw ten normal features; of the first one a share is missing."""

    def draw(rng: np.random.Generator, rows: int, first: int) -> Rows:
        made = normal(10)(rng, rows, first)
        made[rng.random(rows) < share, 0] = np.nan
        return made

    return draw


def rows() -> Iterator[Row]:
    """Measure false alarms, then delays."""
    yield from _false_alarms()
    yield from _delays()


def _false_alarms() -> Iterator[Row]:
    three, ten, correlated = normal(3), normal(10), normal(10, correlation=0.9)
    scenarios: list[tuple[int, str, Scenario, str]] = [
        (1_000, "3 features, 500 reference rows, 5,000 live ones", Scenario(three, three, 500, 5_000), ""),
        (1_000, "3 features, 100 reference rows, 10,000 live ones", Scenario(three, three, 100, 10_000), ""),
        (1_000, "3 features, 500 reference rows, 50,000 live ones", Scenario(three, three, 500, 50_000), ""),
        (200, "10 features, 10,000 reference rows, 5,000 live ones", Scenario(ten, ten, 10_000, 5_000), ""),
        (200, "10 features, correlated by 0.9", Scenario(correlated, correlated, 2_000, 5_000), ""),
        (
            1_000,
            "3 features with a daily cycle of ± 0.5 sd, 1,000 rows a day; the reference has all hours",
            Scenario(seasonal(3, 0.5), seasonal(3, 0.5), 10_000, 5_000),
            "nothing is promised for cycles, and the page says so",
        ),
    ]
    for streams, words, scenario, remark in scenarios:
        alarms = sum(scenario.rows_until_alarm(seed) is not None for seed in range(streams))
        nominal = "none" if remark else f"≤ {percent(FALSE_ALARMS)}"
        yield Row(
            f"{streams:,} streams without drift: {words}", "any alarm", nominal, percent(alarms / streams), remark
        )


def _delays() -> Iterator[Row]:
    ten = normal(10)
    plans, moved = (0.6, 0.2, 0.1, 0.1), (0.5, 0.2, 0.2, 0.1)
    scenarios = [
        ("0.2 sd in 1 of 10 features", Scenario(ten, normal(10, 0.2))),
        ("0.5 sd in 1 of 10 features", Scenario(ten, normal(10, 0.5))),
        ("1 sd in 1 of 10 features", Scenario(ten, normal(10, 1.0))),
        ("0.5 sd in 1 of 10 features, after 2,000 rows without drift", Scenario(ten, normal(10, 0.5, since=2_000))),
        ("0.5 sd in 1 of 100 features", Scenario(normal(100), normal(100, 0.5), 10_000, 5_000)),
        (
            "0.5 sd in 1 of 10 features that are correlated by 0.9",
            Scenario(normal(10, correlation=0.9), normal(10, 0.5, correlation=0.9)),
        ),
        ("a category of 10 % grows to 20 %, 1 of 10 features", Scenario(category(plans), category(moved))),
        ("2 % missing values where the reference has none, 1 of 10 features", Scenario(ten, missing(0.02))),
    ]
    for words, scenario in scenarios:
        streams = 4 if "of 100" in words else 12
        found = [scenario.rows_until_alarm(seed) for seed in range(streams)]
        late = 2_000 if "after" in words else 0
        delays = [float("inf") if rows is None else rows - late for rows in found]
        low, middle, high = np.quantile(delays, (0.1, 0.5, 0.9), method="nearest")
        observed = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        remark = f"{sum(rows is not None for rows in found)} of {streams} streams"
        yield Row(words, "rows until the alarm: median (10th to 90th percentile)", "", observed, remark)
