"""Constraints on the rows of a choice among models, and the order and the Pareto front of the rest. Pure.

A constraint is a gate (``domain.gates.parser``): ``latency_p99_ms <= 5``, ``accuracy >= stable - 0.01``. Its figure is
the value in the table, without an interval: a choice is no proof.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.gates.gate import Gate, metric_label
from jupyter_deploy.domain.gates.parser import Use, parse_gate

from .selection import STABLE, CandidateModel, ModelSelection

_USE = Use("constraint", "'latency_p99_ms <= 5', 'memory_mb <= 300' or 'accuracy >= 0.9'")

FIGURES = (
    "latency_p50_ms",
    "latency_p99_ms",
    "batch_p50_ms",
    "batch_p99_ms",
    "rows_per_second",
    "memory_mb",
    "load_s",
    "artifact_mb",
    "libraries_mb",
    "cost_per_million",
    "brier",
    "ece",
    "fits_low",
    "fits_high",
    "fits_sd",
)
"""The figures of a row besides the metric."""

_SHORT = re.compile(r"^\s*(p50|p99)\b")
"""Latencies of one row, in short: ``p99 <= 5ms``."""

_SEPARATOR = re.compile(r"[,;\n](?![^\[\]]*\])")
"""Between two constraints: not the comma within the brackets of a subgroup."""


def figures_of(row: CandidateModel, metric: str) -> dict[str, float]:
    """Return the known figures of a row by name, those of subgroups as ``accuracy[sex=F]``."""
    ran = row.performance
    spreads = ("latency_p50_ms", "latency_p99_ms", "batch_p50_ms", "batch_p99_ms", "rows_per_second")
    found: dict[str, float | None] = {name: getattr(ran, name).median for name in spreads}
    found |= {"memory_mb": ran.memory_mb, "load_s": ran.load_s, "artifact_mb": row.artifact_mb}
    found["libraries_mb"] = row.libraries_mb
    found["cost_per_million"] = row.cost_per_million
    if row.calibration:
        found |= {"brier": row.calibration.brier, "ece": row.calibration.ece}
    if row.fits:
        found |= {"fits_low": row.fits.low, "fits_high": row.fits.high, "fits_sd": row.fits.sd}
    found |= {metric_label(metric, one.group): one.score.value for one in row.groups}
    found[metric] = row.score.value
    return {name: value for name, value in found.items() if value is not None}


def parse_constraints(
    texts: Iterable[str], metric: str, *, has_stable: bool, groups: Iterable[str] = (), priced: bool = True
) -> tuple[Gate, ...]:
    """Parse constraints before slow work.

    Parameters
    ----------
    groups
        The metric's subgroups, such as ``accuracy[sex=F]``.
    priced
        Whether the price of a core-hour is set.

    Raises
    ------
    InvalidInput
        A text is no constraint, names an unknown figure, or needs a stable release or a price that is not there.
    """
    names = (metric, *groups, *FIGURES)
    gates = tuple(parse_gate(_SHORT.sub(r"latency_\1_ms", text), _USE) for text in texts)
    for gate in gates:
        if gate.label not in names:
            near = difflib.get_close_matches(gate.label, names, n=1)
            remedy = (
                f"did you mean {near[0]}?" if near else f"the metric is {metric}; the others are: {', '.join(FIGURES)}"
            )
            raise InvalidInput(f"the constraint '{gate.expression}' names '{gate.label}', which is no figure", remedy)
        if gate.needs_stable and not has_stable:
            raise InvalidInput(
                f"the constraint '{gate.expression}' needs a stable release",
                "name its endpoint: candidates(…, endpoint='churn')",
            )
        if gate.minimum_rows is not None:
            raise InvalidInput(
                f"the constraint '{gate.expression}' has 'over', which is for gates", "leave out 'over …'"
            )
        if gate.metric == "cost_per_million" and not priced:
            raise InvalidInput(
                f"the constraint '{gate.expression}' needs the price of a core-hour",
                "write cost: 0.05 into nbdeploy.yaml, or set NBDEPLOY_COST",
            )
    return gates


def split_constraints(text: str) -> tuple[str, ...]:
    """Return the constraints of a text, which commas or semicolons separate: ``load_s <= 5, memory_mb <= 300``."""
    return tuple(part.strip() for part in _SEPARATOR.split(text) if part.strip())


def constrained(table: ModelSelection, texts: Iterable[str]) -> ModelSelection:
    """Return the table as it is under other constraints.

    Raises
    ------
    InvalidInput
        A text is no constraint of this table.
    """
    priced = table.core_hour is not None
    groups = [name for name in figure_names(table) if name not in (table.metric, *FIGURES)]
    gates = parse_constraints(texts, table.metric, has_stable=bool(table.endpoint), groups=groups, priced=priced)
    rows = judged(table.candidates, gates, table.metric, greater_is_better=table.greater_is_better)
    return table.model_copy(update={"constraints": tuple(gate.expression for gate in gates), "candidates": rows})


def figure_names(table: ModelSelection) -> tuple[str, ...]:
    """Return the names that constraints of a table may have: of its metric, of subgroups, of the rows' figures."""
    known = {name for row in table.candidates for name in figures_of(row, table.metric)}
    groups = sorted(known - {table.metric} - set(FIGURES))
    return (table.metric, *groups, *(name for name in FIGURES if name in known))


def violations(row: CandidateModel, metric: str) -> tuple[str, ...]:
    """Return each violated constraint with the row's figure: ``latency_p99_ms <= 5 (8.13)``."""
    known = figures_of(row, metric)
    values = ((text, known.get(parse_gate(text, _USE).label)) for text in row.violated)
    return tuple(f"{text} ({'not known' if value is None else f'{value:.3g}'})" for text, value in values)


def judged(
    rows: Sequence[CandidateModel], gates: Sequence[Gate], metric: str, *, greater_is_better: bool
) -> tuple[CandidateModel, ...]:
    """Return the rows with their violated constraints and the Pareto front, those that remain first, by score.

    A row without a figure violates a constraint on it.
    """
    stable = next((figures_of(row, metric) for row in rows if row.name == STABLE), {})
    marked = []
    for row in rows:
        known = figures_of(row, metric)
        violated = tuple(gate.expression for gate in gates if not _meets(gate, known, stable))
        marked.append(row.model_copy(update={"violated": violated}))
    front = pareto_front([row for row in marked if not row.violated], greater_is_better=greater_is_better)
    sign = -1 if greater_is_better else 1
    marked.sort(key=lambda row: (bool(row.violated), sign * row.score.value, row.performance.latency_p50_ms.median))
    return tuple(row.model_copy(update={"on_front": (row.name, row.engine) in front}) for row in marked)


def pareto_front(rows: Sequence[CandidateModel], *, greater_is_better: bool) -> set[tuple[str, str]]:
    """Return name and engine of the rows that no other row dominates in score, median latency and cost.

    Without a price the cost is left out. Of rows that are equal in all, each is on the front.
    """
    sign = -1 if greater_is_better else 1
    points = {
        (row.name, row.engine): (
            sign * row.score.value,
            row.performance.latency_p50_ms.median,
            row.cost_per_million or 0.0,
        )
        for row in rows
    }
    return {key for key, mine in points.items() if not any(_dominates(other, mine) for other in points.values())}


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _meets(gate: Gate, figures: dict[str, float], stable: dict[str, float]) -> bool:
    value = figures.get(gate.label)
    if value is None or (gate.needs_stable and gate.label not in stable):
        return False
    return gate.holds(value - gate.bound.factor * stable[gate.label] if gate.needs_stable else value)
