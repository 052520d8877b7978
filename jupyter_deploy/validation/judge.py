"""The judge of notebook metrics: whether gates hold, by intervals of 95 %.

A gate passes if the whole interval is on the right side of its bound, and fails if all of it is on the wrong side;
otherwise it is inconclusive. So a candidate that is exactly at the bound passes wrongly in about 2.5 % of all
validations, and a better one is refused as rarely. A repeated attempt has a higher level
(``domain.validation.attempts``). All gates must hold together, so that many of them need no correction against a wrong
pass (R. L. Berger 1982, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.evidence.e_values import e_value
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.gates.gate import Gate, metric_label
from jupyter_deploy.domain.validation.attempts import level_of, metric_of
from jupyter_deploy.domain.validation.validation import GateResult, Metric, Verdict

from .interval_estimate import IntervalEstimate
from .intervals import difference, estimate_metric, shift
from .tails import tail_warning

_MOST_NAMES = 8


class Statistician:
    """The Judge port."""

    def interval(self, metric: Metric) -> Interval | None:
        """Return the interval of a metric's value; None: its variation is unknown."""
        return _finite(estimate_metric(metric).interval)

    def judge(
        self, gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None, attempt: int = 1
    ) -> GateResult:
        """Judge a gate by a run's metrics; ``stable`` None: there is no stable release to compare with."""
        metric = metric_of(gate, metrics)
        if metric is None:
            return _not_recorded(gate, metrics)
        level = level_of(attempt)
        own = estimate_metric(metric, level)
        if not gate.needs_stable:
            return _result(gate, metric, None, own, own.interval, attempt=attempt)
        if stable is None:
            return _undecided(gate, metric, own.interval, "there is no stable release to compare it with")
        stable_metric = metric_of(gate, stable)
        if stable_metric is None:
            return _undecided(gate, metric, own.interval, f"of stable no {gate.label} was recorded")
        estimate = difference(metric, stable_metric, gate.bound.factor, level)
        return _result(gate, metric, stable_metric, estimate, own.interval, attempt=attempt)


def _not_recorded(gate: Gate, metrics: Sequence[Metric]) -> GateResult:
    """Return the result for a missing metric: fail, or inconclusive if only its subgroup has no rows."""
    same = [m for m in metrics if m.name == gate.metric]
    undefined = next((m.undefined[gate.label] for m in same if gate.label in m.undefined), "")
    if undefined:
        sentence = f"{gate.label} is not defined: {undefined}: inconclusive"
        return GateResult(expression=gate.expression, verdict="inconclusive", sentence=sentence)
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


def _undecided(gate: Gate, metric: Metric, interval: Interval | None, why: str) -> GateResult:
    sentence = f"{gate.label} {_value_with_interval(metric.value, interval)}: {why}: inconclusive"
    return GateResult(
        expression=gate.expression,
        verdict="inconclusive",
        sentence=sentence,
        value=metric.value,
        interval=_finite(interval),
        n=metric.n,
    )


def _result(
    gate: Gate,
    metric: Metric,
    stable: Metric | None,
    estimate: IntervalEstimate,
    interval: Interval | None,
    *,
    attempt: int,
) -> GateResult:
    """Build the result; ``estimate`` is of the metric or its distance from stable's, ``interval`` the metric's."""
    figure = metric.value - (gate.bound.factor * stable.value if stable else 0.0)
    verdict, why = _verdict(gate, metric, figure, estimate)
    bound, bound_text = _bound(gate, stable, interval)
    notes = _notes(gate, metric, stable, estimate, attempt)
    if why:
        notes.insert(0, why)
    if verdict != "inconclusive" and estimate.exact:
        notes.append(_exact_words(metric))
    about = f" ({'; '.join(notes)})" if notes else ""
    comparison = f"{_value_with_interval(metric.value, interval)} {gate.operator_sign} {bound_text}"
    sentence = f"{gate.label} {comparison}: {verdict}{about}"
    difference_text = (
        f"; difference {_value_with_interval(figure, estimate.interval)}"
        if gate.bound.factor == 1 and estimate.interval
        else ""
    )
    return GateResult(
        expression=gate.expression,
        verdict=verdict,
        sentence=sentence,
        method=estimate.method + difference_text,
        value=metric.value,
        interval=_finite(interval),
        stable=stable.value if stable else None,
        threshold=bound,
        n=metric.n,
        attempt=attempt,
        e_value=_e_value(gate, figure, estimate),
    )


def _notes(gate: Gate, metric: Metric, stable: Metric | None, estimate: IntervalEstimate, attempt: int) -> list[str]:
    notes = []
    if stable is not None and estimate.method.startswith("not paired"):
        notes.append("not paired")
    if stable is None and estimate.share and 1 < gate.bound.offset <= 100:
        notes.append(f"a share is 1 at most: did you mean {gate.bound.offset:g}%?")
    if warning := tail_warning(metric):
        notes.append(warning)
    if attempt > 1:
        notes.append(f"attempt {attempt}, so by an interval of {level_of(attempt):.4%}".replace("%", " %"))
    return notes


def _exact_words(metric: Metric) -> str:
    undeclared = metric.rows is None and metric.replicates is None and metric.n is not None and 0 <= metric.value <= 1
    return "taken as exact" + (f"; if it is a share of {metric.n} rows, add share=True" if undeclared else "")


def _e_value(gate: Gate, figure: float, estimate: IntervalEstimate) -> float | None:
    """Return the evidence that the gate does not hold; None: the figure's variation is unknown."""
    interval = _finite(estimate.interval)
    if interval is None:
        return None
    if gate.operator in (">=", ">"):
        return e_value(gate.bound.offset - figure, interval.high - figure, interval.level)
    return e_value(figure - gate.bound.offset, figure - interval.low, interval.level)


def _verdict(gate: Gate, metric: Metric, figure: float, estimate: IntervalEstimate) -> tuple[Verdict, str]:
    if gate.minimum_rows is not None and (metric.n is None or metric.n < gate.minimum_rows):
        known = "an unknown number of" if metric.n is None else metric.n
        return "inconclusive", f"of {known} rows, {gate.minimum_rows} needed"
    if estimate.why:
        return "inconclusive", estimate.why
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (figure, figure)
    holds = gate.holds_over(low, high)
    if holds is not None:
        return ("pass" if holds else "fail"), ""
    if math.isinf(low) or math.isinf(high):
        return "inconclusive", f"{metric.n} rows are too few for a {metric.statistic}"
    if not gate.needs_stable:
        return "inconclusive", _out_of_reach(gate, estimate) or "more rows would tell"
    span = _value_with_interval(figure - gate.bound.offset, shift(estimate.interval, -gate.bound.offset))
    return "inconclusive", f"the distance is not clear: {span}"


def _out_of_reach(gate: Gate, estimate: IntervalEstimate) -> str:
    """Return a note if no number of rows could show that a share meets the bound."""
    if estimate.share and gate.bound.offset == 0 and gate.operator == "<=":
        return "no number of rows shows exactly 0: leave it some room, such as <= 0.01"
    if estimate.share and gate.bound.offset == 1 and gate.operator == ">=":
        return "no number of rows shows exactly 1: leave it some room, such as >= 0.99"
    return ""


def _finite(interval: Interval | None) -> Interval | None:
    """Return a finite interval, since JSON has no infinity."""
    return interval if interval and math.isfinite(interval.low) and math.isfinite(interval.high) else None


def _bound(gate: Gate, stable: Metric | None, interval: Interval | None) -> tuple[float, str]:
    """Return the bound as a number and as text: ``stable 0.953 − 0.010``, ``1.2 × stable 10.1``."""
    offset, factor = gate.bound.offset, gate.bound.factor
    if stable is None:
        return offset, f"{offset:.6g}".replace("-", "−")  # as in the expression: 0.995 must not become 1.0
    bound_text = f"stable {_number(stable.value, interval)}"
    if factor != 1:
        bound_text = f"{factor:g} × {bound_text}".replace("-", "−")
    if offset:
        bound_text += f" {'−' if offset < 0 else '+'} {abs(offset):.6g}"
    return factor * stable.value + offset, bound_text


def _value_with_interval(value: float, interval: Interval | None) -> str:
    if interval is None:
        return _number(value, None)
    return f"{_number(value, interval)} [{_number(interval.low, interval)}, {_number(interval.high, interval)}]"


def _number(value: float, interval: Interval | None) -> str:
    """Format a number with the decimals that its interval justifies."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    ends = [end for end in (interval.low, interval.high) if math.isfinite(end)] if interval else []
    width = abs(ends[-1] - ends[0]) if len(ends) == 2 else 2 * abs(value - ends[0]) if ends else 0.0
    if width <= 0:
        return f"{value:.6g}".replace("-", "−")
    decimals = 0
    while decimals < 6 and width * 10**decimals < 20:
        decimals += 1
    return f"{value:.{decimals}f}".replace("-", "−")
