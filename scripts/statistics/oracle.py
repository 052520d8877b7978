"""``python -m scripts.statistics.oracle``: values of the sequences by another way, for tests/unit/oracle.json.

Nothing here imports the package. The wealth of the mixture comes from its definition: half of it by Beta(1/2, 1/2) over
the bets, a quarter each on all high and all low; the integral is the trapezoidal rule on 100,001 bets, which are even
in the angle, so that the density is constant. An end of an interval is where that wealth is 1 / (1 - level). The
package has closed forms of shares and 64 nodes around the largest payoff instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "tests" / "unit" / "oracle.json"

Counts = dict[str, int]
"""The values of a stream as decimals or fractions, and how often each came."""

INTERVALS: list[tuple[str, Counts, float]] = [
    ("0", {"1": 431, "0": 0}, 0.95),
    ("0", {"1": 990, "0": 10}, 0.95),
    ("0", {"1": 990, "0": 10}, 0.9875),
    ("0", {"1": 3, "0": 297}, 0.95),
    ("0", {"1": 180, "2/3": 40, "1/2": 11, "0": 9}, 0.95),
    ("0", {"1": 180, "2/3": 40, "1/2": 11, "0": 9}, 0.9998),
    ("-1", {"1": 8, "-1": 0, "0": 4000}, 0.95),
    ("-1", {"1": 50, "-1": 20, "0": 1930}, 0.95),
    ("-1/19", {"1": 12, "-1/19": 40, "0": 9948}, 0.95),
    ("-1/4", {"1": 6, "-1/4": 3, "0": 391}, 0.99),
]
"""The lowest possible value of a stream, its values and the level of the interval."""

EVIDENCE: list[tuple[str, Counts, str]] = [
    ("0", {"1": 30, "0": 8}, "0.99"),
    ("0", {"1": 7, "1/2": 2, "0": 1}, "0.2"),
    ("-1", {"1": 9, "-1": 1, "0": 500}, "0"),
    ("-1/4", {"1": 6, "-1/4": 3, "0": 391}, "0.001"),
]
"""The same with the mean that the evidence is against."""

_ANGLES = np.linspace(0, np.pi / 2, 100_001)
_BETS = np.sin(_ANGLES) ** 2
_WEIGHTS = np.full(len(_BETS), 1 / (len(_BETS) - 1))
_WEIGHTS[[0, -1]] /= 2


def log_wealth(low: str, counts: Counts, mean: float) -> float:
    """Return the log of the wealth against ``mean``, which is inside the range."""
    bottom = float(Fraction(low))
    scaled = (mean - bottom) / (1 - bottom)
    logs = np.zeros(len(_BETS))
    with np.errstate(divide="ignore"):
        for text, times in counts.items():
            value = (float(Fraction(text)) - bottom) / (1 - bottom)
            if times:
                logs += times * np.log(value * _BETS / scaled + (1 - value) * (1 - _BETS) / (1 - scaled))
    top = logs.max()
    wealth = np.exp(logs - top)
    return float(top + np.log(wealth @ _WEIGHTS / 2 + (wealth[0] + wealth[-1]) / 4))


def interval(low: str, counts: Counts, level: float) -> list[float]:
    """Return the two means between which the wealth is less than ``1 / (1 - level)``."""
    limit = -np.log(1 - level)
    own = float(sum(Fraction(value) * times for value, times in counts.items()) / sum(counts.values()))

    def refuted(mean: float) -> bool:
        return log_wealth(low, counts, mean) >= limit

    return [_boundary(refuted, end, own) for end in (float(Fraction(low)), 1.0)]


def _boundary(refuted: Callable[[float], bool], end: float, kept: float) -> float:
    for _ in range(50):
        middle = (end + kept) / 2
        if middle in (end, kept):
            break
        end, kept = (middle, kept) if refuted(middle) else (end, middle)
    return end


def main() -> None:
    found = {
        "made_by": f"python -m scripts.statistics.oracle, NumPy {np.__version__}",
        "intervals": [
            {"low": low, "counts": counts, "level": level, "interval": interval(low, counts, level)}
            for low, counts, level in INTERVALS
        ],
        "evidence": [
            {"low": low, "counts": counts, "mean": mean, "log": log_wealth(low, counts, float(mean))}
            for low, counts, mean in EVIDENCE
        ],
    }
    PAGE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
