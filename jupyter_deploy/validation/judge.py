"""Whether gates hold of what was measured, by intervals of 95 %.

A gate passes when the whole interval is on the right side of its bound and fails when all of it is on the wrong one;
between, it is inconclusive. So a candidate that is exactly at the bound passes wrongly in about 2.5 % of all
validations, and a better one is refused as rarely. All gates must hold together, so that many of them need no
correction (R. L. Berger 1982, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.validation.gate import Gate, named
from jupyter_deploy.domain.validation.validation import GateResult, Metric, Verdict

from .intervals import Made, difference, own, shifted

_MOST_NAMES = 8


class Statistician:
    """The Judge port."""

    def interval(self, metric: Metric) -> Interval | None:
        """Of a metric's value; None: nothing is known of how it would vary."""
        return _kept(own(metric).interval)

    def judge(self, gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None) -> GateResult:
        """Whether a gate holds of a run's metrics; ``stable`` None: there is no stable release to compare with."""
        found = _of(gate, metrics)
        if found is None:
            return _missing(gate, metrics)
        mine = own(found)
        if not gate.needs_stable:
            return _result(gate, found, None, mine, mine.interval)
        if stable is None:
            return _undecided(gate, found, mine.interval, "there is no stable release to compare it with")
        other = _of(gate, stable)
        if other is None:
            return _undecided(gate, found, mine.interval, f"of stable no {gate.of} was recorded")
        return _result(gate, found, other, difference(found, other, gate.factor), mine.interval)


def _of(gate: Gate, metrics: Sequence[Metric]) -> Metric | None:
    return next((m for m in metrics if m.name == gate.metric and m.group == gate.group), None)


def _missing(gate: Gate, metrics: Sequence[Metric]) -> GateResult:
    """Not recorded: a mistake, unless only this subgroup had no rows."""
    same = [m for m in metrics if m.name == gate.metric]
    siblings = [m for m in same if gate.group and set(m.group) == set(gate.group)]
    if siblings:
        there = ", ".join(", ".join(m.group.values()) for m in siblings)
        why = f"no row is of this subgroup (there are: {there})"
        return GateResult(
            expression=gate.expression, verdict="inconclusive", sentence=f"{gate.of}: {why}: inconclusive"
        )
    known = list(dict.fromkeys(named(m.name, m.group) for m in metrics))
    near = difflib.get_close_matches(gate.of, known, 1)
    if near:
        recorded = f"did you mean {near[0]}?"
    else:
        recorded = f"recorded were: {listed(known, _MOST_NAMES)}" if known else "the notebook recorded no metric"
    sentence = f"{gate.of} was not recorded ({recorded}): fail"
    return GateResult(expression=gate.expression, verdict="fail", sentence=sentence)


def _undecided(gate: Gate, found: Metric, interval: Interval | None, why: str) -> GateResult:
    sentence = f"{gate.of} {_estimate(found.value, interval)}: {why}: inconclusive"
    return GateResult(
        expression=gate.expression,
        verdict="inconclusive",
        sentence=sentence,
        value=found.value,
        interval=_kept(interval),
        n=found.n,
    )


def _result(gate: Gate, found: Metric, stable: Metric | None, made: Made, interval: Interval | None) -> GateResult:
    """``made`` is of the metric, or of its distance from stable's multiple; ``interval`` is the metric's own."""
    estimate = found.value - (gate.factor * stable.value if stable else 0.0)
    verdict, why = _verdict(gate, found, estimate, made)
    bound, words = _bound(gate, stable, interval)
    notes = [why] if why else []
    if stable is not None and made.method.startswith("not paired"):
        notes.append("not paired")
    if verdict != "inconclusive" and made.exact:
        notes.append("taken as exact")
    if stable is None and made.share and 1 < gate.offset <= 100:
        notes.append(f"a share is 1 at most: did you mean {gate.offset:g}%?")
    about = f" ({'; '.join(notes)})" if notes else ""
    sentence = f"{gate.of} {_estimate(found.value, interval)} {gate.sign_shown} {words}: {verdict}{about}"
    told = f"; difference {_estimate(estimate, made.interval)}" if gate.factor == 1 and made.interval else ""
    return GateResult(
        expression=gate.expression,
        verdict=verdict,
        sentence=sentence,
        method=made.method + told,
        value=found.value,
        interval=_kept(interval),
        stable=stable.value if stable else None,
        threshold=bound,
        n=found.n,
    )


def _verdict(gate: Gate, found: Metric, estimate: float, made: Made) -> tuple[Verdict, str]:
    if gate.least is not None and (found.n is None or found.n < gate.least):
        known = "an unknown number of" if found.n is None else found.n
        return "inconclusive", f"of {known} rows, {gate.least} needed"
    if made.why:
        return "inconclusive", made.why
    low, high = (made.interval.low, made.interval.high) if made.interval else (estimate, estimate)
    holds = {_holds(gate, low - gate.offset), _holds(gate, high - gate.offset)}
    if len(holds) == 1:
        return ("pass", "") if holds == {True} else ("fail", "")
    if math.isinf(low) or math.isinf(high):
        return "inconclusive", f"{found.n} rows are too few for a {found.statistic}"
    if not gate.needs_stable:
        return "inconclusive", _out_of_reach(gate, made) or "more rows would tell"
    span = _estimate(estimate - gate.offset, shifted(made.interval, -gate.offset))
    return "inconclusive", f"the distance is not clear: {span}"


def _out_of_reach(gate: Gate, made: Made) -> str:
    """Where no number of rows could show what is wanted of a share."""
    if made.share and gate.offset == 0 and gate.sign == "<=":
        return "no number of rows shows exactly 0: leave it some room, such as <= 0.01"
    if made.share and gate.offset == 1 and gate.sign == ">=":
        return "no number of rows shows exactly 1: leave it some room, such as >= 0.99"
    return ""


def _kept(interval: Interval | None) -> Interval | None:
    """As documents keep it: JSON has no infinity."""
    return interval if interval and math.isfinite(interval.low) and math.isfinite(interval.high) else None


def _holds(gate: Gate, distance: float) -> bool:
    match gate.sign:
        case ">=":
            return distance >= 0
        case ">":
            return distance > 0
        case "<=":
            return distance <= 0
        case "<":
            return distance < 0


def _bound(gate: Gate, stable: Metric | None, own: Interval | None) -> tuple[float, str]:
    """The bound as a number and as it reads: ``stable 0.953 − 0.010``, ``1.2 × stable 10.1``."""
    if stable is None:
        return gate.offset, f"{gate.offset:.6g}".replace("-", "−")  # as it was written: 0.995 must not read 1.0
    words = f"stable {_number(stable.value, own)}"
    if gate.factor != 1:
        words = f"{gate.factor:g} × {words}".replace("-", "−")
    if gate.offset:
        words += f" {'−' if gate.offset < 0 else '+'} {abs(gate.offset):.6g}"
    return gate.factor * stable.value + gate.offset, words


def _estimate(value: float, own: Interval | None) -> str:
    if own is None:
        return _number(value, None)
    return f"{_number(value, own)} [{_number(own.low, own)}, {_number(own.high, own)}]"


def _number(value: float, own: Interval | None) -> str:
    """With as many decimals as the interval makes worth while."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    ends = [end for end in (own.low, own.high) if math.isfinite(end)] if own else []
    width = abs(ends[-1] - ends[0]) if len(ends) == 2 else 2 * abs(value - ends[0]) if ends else 0.0
    if width <= 0:
        return f"{value:.6g}".replace("-", "−")
    decimals = 0
    while decimals < 6 and width * 10**decimals < 20:
        decimals += 1
    return f"{value:.{decimals}f}".replace("-", "−")
