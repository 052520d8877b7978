"""Notes on failures among many gates on subgroups. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.evidence.e_values import FALSE_DISCOVERIES, refuted
from jupyter_deploy.domain.gates.parser import parse_gate

from .validation import Run

_FEWEST = 5
"""With fewer gates on subgroups, a failure by chance is rare enough to need no note."""


def subgroup_notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return a note if gates on subgroups fail: the number expected by chance, and the failures shown in spite of it.

    A gate of a subgroup that is exactly at its bound fails in 2.5 % of the validations; one of twenty in 40 %. The
    failures are named by their e-values at a false discovery rate of 10 %.
    """
    known = [gate for run in runs for gate in run.gates if gate.e_value is not None]
    judged = [gate for gate in known if parse_gate(gate.expression).group]
    failed = [gate for gate in judged if gate.verdict == "fail"]
    if len(judged) < _FEWEST or not failed:
        return ()
    by_chance = sum((1 - gate.interval.level) / 2 if gate.interval else 0.025 for gate in judged)
    shown = [parse_gate(judged[at].expression).label for at in refuted([gate.e_value or 0.0 for gate in judged])]
    named = f"shown at a false discovery rate of {FALSE_DISCOVERIES:.0%} (e-BH): {', '.join(shown) or 'none of them'}"
    return (
        f"{len(failed)} of {len(judged)} gates on subgroups fail; if all subgroups were exactly at their bounds, "
        f"{by_chance:.2g} would by chance; {named}".replace("%", " %"),
    )
