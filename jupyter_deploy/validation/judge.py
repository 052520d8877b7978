"""The judge of notebook metrics: whether gates hold, by intervals of 95 %.

A gate passes if the whole interval is on the right side of its bound, and fails if all of it is on the wrong side;
otherwise it is inconclusive. So a candidate that is exactly at the bound passes wrongly in about 2.5 % of all
validations, and a better one is refused as rarely. All gates must hold together, so that many of them need no
correction (R. L. Berger 1982, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.gates.gate import Gate, metric_label
from jupyter_deploy.domain.validation.validation import GateResult, Metric, Verdict

from .intervals import Made, difference, own, shifted

_MOST_NAMES = 8


class Statistician:
    """The Judge port."""

    def interval(self, metric: Metric) -> Interval | None:
        """The interval of a metric's value; None: the variation of the value is unknown."""
        return _kept(own(metric).interval)

    def judge(self, gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None) -> GateResult:
        """Judge a gate by a run's metrics; ``stable`` None: there is no stable release to compare with."""
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
            return _undecided(gate, found, mine.interval, f"of stable no {gate.label} was recorded")
        return _result(gate, found, other, difference(found, other, gate.bound.factor), mine.interval)


def _of(gate: Gate, metrics: Sequence[Metric]) -> Metric | None:
    return next((m for m in metrics if m.name == gate.metric and m.group == gate.group), None)


def _missing(gate: Gate, metrics: Sequence[Metric]) -> GateResult:
    """The result for a metric without a record: a failure, unless only its subgroup had no rows."""
    same = [m for m in metrics if m.name == gate.metric]
    siblings = [m for m in same if gate.group and set(m.group) == set(gate.group)]
    if siblings:
        there = ", ".join(", ".join(m.group.values()) for m in siblings)
        why = f"no row is of this subgroup (there are: {there})"
        return GateResult(
            expression=gate.expression, verdict="inconclusive", sentence=f"{gate.label}: {why}: inconclusive"
        )
    known = list(dict.fromkeys(metric_label(m.name, m.group) for m in metrics))
    near = difflib.get_close_matches(gate.label, known, 1)
    if near:
        recorded = f"did you mean {near[0]}?"
    else:
        recorded = f"recorded were: {listed(known, _MOST_NAMES)}" if known else "the notebook recorded no metric"
    sentence = f"{gate.label} was not recorded ({recorded}): fail"
    return GateResult(expression=gate.expression, verdict="fail", sentence=sentence)


def _undecided(gate: Gate, found: Metric, interval: Interval | None, why: str) -> GateResult:
    sentence = f"{gate.label} {_estimate(found.value, interval)}: {why}: inconclusive"
    return GateResult(
        expression=gate.expression,
        verdict="inconclusive",
        sentence=sentence,
        value=found.value,
        interval=_kept(interval),
        n=found.n,
    )


def _result(gate: Gate, found: Metric, stable: Metric | None, made: Made, interval: Interval | None) -> GateResult:
    """``made`` is about the metric or its distance from stable's multiple; ``interval`` is about the metric alone."""
    estimate = found.value - (gate.bound.factor * stable.value if stable else 0.0)
    verdict, why = _verdict(gate, found, estimate, made)
    bound, words = _bound(gate, stable, interval)
    notes = [why] if why else []
    if stable is not None and made.method.startswith("not paired"):
        notes.append("not paired")
    if verdict != "inconclusive" and made.exact:
        notes.append("taken as exact")
    if stable is None and made.share and 1 < gate.bound.offset <= 100:
        notes.append(f"a share is 1 at most: did you mean {gate.bound.offset:g}%?")
    about = f" ({'; '.join(notes)})" if notes else ""
    sentence = f"{gate.label} {_estimate(found.value, interval)} {gate.operator_sign} {words}: {verdict}{about}"
    told = f"; difference {_estimate(estimate, made.interval)}" if gate.bound.factor == 1 and made.interval else ""
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
    if gate.minimum_rows is not None and (found.n is None or found.n < gate.minimum_rows):
        known = "an unknown number of" if found.n is None else found.n
        return "inconclusive", f"of {known} rows, {gate.minimum_rows} needed"
    if made.why:
        return "inconclusive", made.why
    low, high = (made.interval.low, made.interval.high) if made.interval else (estimate, estimate)
    holds = gate.holds_over(low, high)
    if holds is not None:
        return ("pass" if holds else "fail"), ""
    if math.isinf(low) or math.isinf(high):
        return "inconclusive", f"{found.n} rows are too few for a {found.statistic}"
    if not gate.needs_stable:
        return "inconclusive", _out_of_reach(gate, made) or "more rows would tell"
    span = _estimate(estimate - gate.bound.offset, shifted(made.interval, -gate.bound.offset))
    return "inconclusive", f"the distance is not clear: {span}"


def _out_of_reach(gate: Gate, made: Made) -> str:
    """The reason why no number of rows could show that a share meets the bound; empty: there is none."""
    if made.share and gate.bound.offset == 0 and gate.operator == "<=":
        return "no number of rows shows exactly 0: leave it some room, such as <= 0.01"
    if made.share and gate.bound.offset == 1 and gate.operator == ">=":
        return "no number of rows shows exactly 1: leave it some room, such as >= 0.99"
    return ""


def _kept(interval: Interval | None) -> Interval | None:
    """The interval for JSON, which has no infinity; None: it is not finite."""
    return interval if interval and math.isfinite(interval.low) and math.isfinite(interval.high) else None


def _bound(gate: Gate, stable: Metric | None, own: Interval | None) -> tuple[float, str]:
    """The bound as a number and in words: ``stable 0.953 − 0.010``, ``1.2 × stable 10.1``."""
    offset, factor = gate.bound.offset, gate.bound.factor
    if stable is None:
        return offset, f"{offset:.6g}".replace("-", "−")  # as it was written: 0.995 must not read 1.0
    words = f"stable {_number(stable.value, own)}"
    if factor != 1:
        words = f"{factor:g} × {words}".replace("-", "−")
    if offset:
        words += f" {'−' if offset < 0 else '+'} {abs(offset):.6g}"
    return factor * stable.value + offset, words


def _estimate(value: float, own: Interval | None) -> str:
    if own is None:
        return _number(value, None)
    return f"{_number(value, own)} [{_number(own.low, own)}, {_number(own.high, own)}]"


def _number(value: float, own: Interval | None) -> str:
    """A number with as many decimals as its interval justifies."""
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
