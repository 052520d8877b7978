"""Ramps of a canary: how often an equal candidate is rolled back, and the harm of a worse one before it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from jupyter_deploy.domain.evidence.segments import e_value_of, mean_evidence
from jupyter_deploy.domain.evidence.sequential import proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT, SLOWER
from jupyter_deploy.domain.ramp.evidence import Events, RampEvidence, SegmentEvidence, StepCounts
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.ramp import decide, follow
from jupyter_deploy.domain.ramp.state import RampState, begin

from .streams import SEED, percent
from .table import Row

START = datetime(2026, 11, 29, tzinfo=UTC)
LOOK = timedelta(minutes=5)
REQUESTS = 2_000
"""Requests between two looks."""

RAMPS = 400
_MOST_LOOKS = 400
_PLAN = RampPlan(steps=(1, 5, 20, 50, 100))

Rates = tuple[float, float]
"""The rate of stable and of the candidate."""


class Traffic:
    """Independent requests with events at given rates; its evidence grows with each look."""

    def __init__(
        self, seed: int, errors: Rates = (0.002, 0.002), slow: Rates = (0.05, 0.05), refused: Rates = (0.01, 0.01)
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._rates = {"errors": errors, "slow answers": slow, "refusals": refused}
        self._steps: list[StepCounts] = []

    def look(self, share: float) -> RampEvidence:
        """Let the next requests arrive, of which the candidate gets a percentage; return all evidence so far."""
        if not self._steps or self._steps[-1].percent != share:
            self._steps.append(StepCounts(percent=share, requests=Events()))
        former = self._steps[-1]
        candidate = int(self._rng.binomial(REQUESTS, share / 100))
        stable = REQUESTS - candidate
        events = {}
        for name, (of_stable, of_candidate) in self._rates.items():
            known = former.events.get(name, {1.0: 0, 0.0: 0})
            new = self._rng.binomial((candidate, stable), (of_candidate, of_stable))
            events[name] = {1.0: known[1.0] + int(new[0]), 0.0: known[0.0] + int(new[1])}
        requests = Events(former.requests.candidate + candidate, former.requests.stable + stable)
        bad, part = events["errors"], share / 100
        outcomes = {1.0: bad[1.0], -part / (1 - part): bad[0.0], 0.0: requests.both - sum(bad.values())}
        self._steps[-1] = StepCounts(
            percent=share,
            requests=requests,
            clusters=requests.candidate,
            outcomes=outcomes,
            events=events,
            slower=SLOWER,  # the evidence alone decides: latencies are not simulated
        )
        return RampEvidence(tuple(self._steps))

    def bad_answers(self, name: str) -> int:
        """Return the number of such events that clients of the candidate met."""
        return sum(step.events[name][1.0] for step in self._steps)


def ramped(traffic: Traffic) -> RampState:
    """Drive a ramp to its end, with a look every five minutes."""
    state, now = begin(_PLAN, "candidate", START), START
    for _ in range(_MOST_LOOKS):
        now += LOOK
        state = follow(state, decide(state, traffic.look(state.percent), now), now)
        if state.ended:
            break
    return state


def rows() -> Iterator[Row]:
    """Measure an equal candidate and three worse ones."""
    scenario = f"{RAMPS} ramps 1, 5, 20, 50, 100 %, {REQUESTS:,} requests and a look in 5 minutes"
    phases = [ramped(Traffic(SEED + seed)).phase for seed in range(RAMPS)]
    wrong, done = (sum(phase == each for phase in phases) / RAMPS for each in ("rolled back", "finished"))
    yield Row(f"{scenario}: equal candidate", "rolled back", "≤ 5 %", percent(wrong))
    yield Row(f"{scenario}: equal candidate", "promoted", "", percent(done))
    yield from _shadows()
    worse: list[tuple[str, str, dict[str, Rates]]] = [
        ("2 % errors, stable 0.2 %", "errors", {"errors": (0.002, 0.02)}),
        ("15 % slow answers, stable 5 %", "slow answers", {"slow": (0.05, 0.15)}),
        ("3 % refusals, stable 1 %", "refusals", {"refused": (0.01, 0.03)}),
    ]
    for name, event, rates in worse:
        ramps = [Traffic(SEED + seed, **rates) for seed in range(RAMPS)]
        stopped = sum(ramped(traffic).phase == "rolled back" for traffic in ramps) / RAMPS
        harm = np.quantile([traffic.bad_answers(event) for traffic in ramps], (0.5, 1.0))
        yield Row(f"the same: {name}", "rolled back", "", percent(stopped))
        yield Row(
            f"the same: {name}",
            f"{event} served by the candidate, median and most",
            "",
            f"{harm[0]:.0f}, {harm[1]:.0f}",
        )


_SHADOW = RampPlan(steps=(1, 100), shadow_first=True, segments=("by: small, large",))
_SHADOW_LOOK, _SMALL = 200, 0.05


def _shadows() -> Iterator[Row]:
    """Shadows of an endpoint with two declared segments, of which one has a twentieth of the requests."""
    scenario = f"{RAMPS} shadows, two segments, of which one has 5 % of the requests, a look each {_SHADOW_LOOK}"
    equal = [_shadowed(SEED + seed, AGREEMENT, AGREEMENT) for seed in range(RAMPS)]
    stopped = sum(looks is not None for looks in equal) / RAMPS
    yield Row(f"{scenario}: both agree on exactly 99 %, 20,000 requests", "rolled back", "≤ 1 %", percent(stopped))
    shifted = [_shadowed(SEED + seed, 0.9, 1.0) for seed in range(RAMPS)]
    looks = np.array([np.inf if each is None else each for each in shifted]) * _SHADOW_LOOK
    yield Row(
        f"{scenario}: 90 % of the small one agree, of all 99.5 %",
        "rolled back by the segment, copied requests until then: median and most",
        "",
        f"{np.median(looks):,.0f}, {looks.max():,.0f}",
        f"in {percent(float(np.isfinite(looks).mean()))}; no client gets such an answer",
    )


def _shadowed(seed: int, small: float, large: float) -> int | None:
    """Return the looks until a shadow is rolled back by its segments' evidence; None: it is not, in 100 looks."""
    rng = np.random.default_rng(seed)
    state = begin(_SHADOW, "candidate", START)
    agree, total = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for look in range(1, 101):
        of_small = int(rng.binomial(_SHADOW_LOOK, _SMALL))
        sizes = np.array([of_small, _SHADOW_LOOK - of_small])
        total += sizes
        agree += rng.binomial(sizes, (small, large))
        values = [
            e_value_of(proportion(int(x), int(n)).log_evidence_below(AGREEMENT))
            for x, n in zip(agree, total, strict=True)
        ]
        found = SegmentEvidence(mean_evidence([1.0, mean_evidence(values, 2)]), "by: small")
        if decide(state, RampEvidence(segments=found), START).action == "roll back":
            return look
    return None
