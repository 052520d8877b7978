"""The requests that a comparison usually needs until its verdict, and the smallest effect that they could show. Pure.

The figures so far are taken for the true ones: with ``N`` requests they would have the same values. The smallest ``N``
with a verdict is the median case, not a promise: with a chance of about a half it takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from .inference import Doubt, Forecast
from .propensity import Step, StepwiseDifference, event_step
from .sequential import Mean, proportion
from .verdict import (
    AGREEMENT,
    MARGIN,
    NEVER_ANSWERED,
    OF_FOUR,
    OF_THREE,
    PairedFigures,
    SlowAnswers,
    UnpairedFigures,
    paired_doubt,
    shifted_answers,
    unpaired_doubt,
)

MOST = 10_000_000
_HALVINGS = 24
_DOUBTS: dict[Doubt, str] = {
    "answers": "the rows on which they disagree",
    "rows": "the rows on which they disagree, which are of large requests",
    "refusals": "the candidate's refusals",
    "errors": "the candidate's errors",
    "coverage": "mirrored requests that could not be compared",
    "slow answers": "the candidate's slow answers",
    "clusters": "too few distinct requests or clients",
}


def in_words(forecast: Forecast) -> str:
    """Return the forecast as half a sentence."""
    if forecast.requests is None:
        because = f", because of {_DOUBTS[forecast.doubt]}" if forecast.doubt else ""
        return f"not decided by {MOST:,} requests if the figures stay as they are{because}"
    hours = "" if forecast.hours is None else f", about {_duration(forecast.hours)} at today's rate"
    size = None if forecast.effect is None else f"{forecast.effect * 100:.2g} points"
    effect = f"; the smallest effect that they could show: {size}" if size else ""
    return f"usually decided by {forecast.requests:,} requests{hours}{effect}"


def forecast_paired(figures: PairedFigures, per_hour: float | None) -> Forecast | None:
    """Forecast the verdict on a shadow; None without pairs. ``per_hour``: pairs in an hour."""
    units = figures.agreement.n
    if not (figures.pairs and units):
        return None
    share = figures.agreement.value

    def grown(factor: float) -> PairedFigures:
        n = round(units * factor)
        return replace(
            figures,
            clusters=round(figures.clusters * factor),
            agreement=proportion(min(round(share * n), n), n),
            errors=figures.errors.scaled(factor),
            error_events=figures.error_events.scaled(factor),
            refused=figures.refused.scaled(factor),
            slow=_slow(figures.slow, factor),
        )

    factor = smallest(lambda factor: paired_decided(grown(factor)), MOST / figures.pairs)
    if factor is None:
        return Forecast(requests=None, doubt=paired_doubt(grown(MOST / figures.pairs)))
    return _forecast(figures.pairs, factor, per_hour, lambda factor: smallest_drop(round(units * factor)))


def forecast_unpaired(figures: UnpairedFigures, per_hour: float | None) -> Forecast | None:
    """Forecast the verdict on a canary; None without requests of both. ``per_hour``: requests of both in an hour."""
    requests = figures.stable + figures.candidate
    if not figures.errors.n:
        return None

    def grown(factor: float) -> UnpairedFigures:
        return replace(
            figures,
            clusters=round(figures.clusters * factor),
            errors=scaled(figures.errors, factor),
            error_events=scaled(figures.error_events, factor),
            shares={label: scaled(share, factor) for label, share in figures.shares.items()},
            slow=_slow(figures.slow, factor),
        )

    part = figures.candidate / requests
    rate = figures.error_events.n / figures.clusters if figures.clusters else 0.0
    factor = smallest(lambda factor: unpaired_decided(grown(factor)), MOST / requests)
    if factor is None:
        return Forecast(requests=None, doubt=unpaired_doubt(grown(MOST / requests)))
    units = figures.errors.n
    return _forecast(requests, factor, per_hour, lambda factor: smallest_rise(round(units * factor), part, rate))


def smallest(decided: Callable[[float], bool], most: float) -> float | None:
    """Return the smallest factor from 1 to ``most`` with a decision; None: there is none.

    A larger factor is taken to decide too, which is so but for roundings.
    """
    high = 1.0
    while not decided(high):
        if high >= most:
            return None
        high = min(high * 2, most)
    low = high / 2
    if high == 1.0:
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def paired_decided(figures: PairedFigures) -> bool:
    """Return whether ``verdict.judge_paired`` recommends anything but to wait."""
    grounds = (
        figures.unanswered >= NEVER_ANSWERED
        or figures.error_events.above(0, OF_FOUR)
        or figures.refused.above(MARGIN, OF_FOUR)
        or figures.agreement.below(AGREEMENT, OF_FOUR)
        or figures.slow.shown(OF_FOUR)
    )
    if grounds or (figures.floats and not figures.agreement.above(AGREEMENT)):
        return True
    return paired_doubt(figures) is None


def unpaired_decided(figures: UnpairedFigures) -> bool:
    """Return whether ``verdict.judge_unpaired`` recommends anything but to wait."""
    grounds = (
        figures.unanswered >= NEVER_ANSWERED
        or figures.error_events.above(0, OF_THREE)
        or figures.slow.shown(OF_THREE)
        or bool(shifted_answers(figures))
    )
    return grounds or unpaired_doubt(figures) is None


def smallest_drop(units: int) -> float | None:
    """Return the smallest distance below 99 % of an agreement that ``units`` clusters show; None: none."""
    low, high = -1, round(AGREEMENT * units)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if proportion(middle, units).below(AGREEMENT, OF_FOUR) else (low, middle)
    return AGREEMENT - low / units if low >= 0 else None


def smallest_rise(units: int, part: float, rate: float) -> float | None:
    """Return the smallest rise of a canary's error rate above ``rate`` that ``units`` clusters show; None: none.

    ``part`` is the canary's part of the clusters.
    """

    def shown(rise: float) -> bool:
        of_canary, of_stable = round(units * part * (rate + rise)), round(units * (1 - part) * rate)
        step = event_step(part, {1.0: of_canary, 0.0: of_stable})
        return StepwiseDifference((step,)).above(0, OF_THREE)

    low, high = 0.0, 1.0 - rate
    if not 0 < part < 1 or not shown(high):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def scaled(difference: StepwiseDifference, factor: float) -> StepwiseDifference:
    """Return the difference after so many times the requests, with the same values."""
    steps = tuple(Step(step.values.scaled(factor), step.scale, step.offset) for step in difference.steps)
    return StepwiseDifference(steps)


def _forecast(
    requests: int, factor: float, per_hour: float | None, effect: Callable[[float], float | None]
) -> Forecast:
    needed = ceil(requests * factor)
    hours = (needed - requests) / per_hour if per_hour else None
    return Forecast(requests=needed, more=needed - requests, hours=hours, effect=effect(factor))


def _slow(slow: SlowAnswers, factor: float) -> SlowAnswers:
    return SlowAnswers(slow.rate.scaled(factor) if slow.rate.n else Mean({}), slow.ratio)


def _duration(hours: float) -> str:
    for unit, size in (("days", 24.0), ("h", 1.0), ("minutes", 1 / 60)):
        if hours >= size * (2 if unit == "days" else 1):
            return f"{hours / size:.0f} {unit}"
    return "a minute"
