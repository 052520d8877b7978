"""A candidate against stable, as a document."""

from __future__ import annotations

from jupyter_deploy.domain.evidence.forecast import in_words
from jupyter_deploy.domain.evidence.inference import Flip
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import CompareRequest
from jupyter_deploy.faces.render.charts.comparison import comparison_charts
from jupyter_deploy.faces.render.comparison_page import RECOMMENDED
from jupyter_deploy.verbs.compare import compare

from .documents import ComparisonView, FlippedRow
from .texts import compact

CELL = 2000
"""Characters of a flipped row's input and answers."""

COMMON = (
    "paired",
    "rows",
    "agreement",
    "coverage",
    "mirrored",
    "agreement_worst_case",
    "error_difference",
    "latency_difference_ms",
    "slow_rate",
    "refusal_rate",
    "accuracy_difference",
    "absolute_error_difference",
    "recommendation",
    "sides",
    "answers",
    "refused",
    "refusals",
    "numbers",
    "relative_tolerance",
    "absolute_tolerance",
    "tolerance_from",
    "fields",
    "fields_total",
    "shapes",
    "segments",
    "phases",
    "distinct_inputs",
    "by_minute",
    "errors",
    "shadow_failures",
    "labelled",
    "answer_shares",
)
"""Fields that the view has as the verb's result does."""


def comparison(request: CompareRequest, ports: Ports) -> ComparisonView:
    """What the verb 'compare' says, with its charts; a number counts as flipped beyond its tolerance."""
    found = compare(request, ports, lambda _: None)
    return ComparisonView(
        stable=found.stable,
        candidate=found.candidate,
        role=found.role,
        verdict=found.verdict,
        reason=found.reason,
        recommended=RECOMMENDED[found.recommendation].format(endpoint=found.endpoint),
        pairs=found.pairs,
        charts={name: chart for name, chart in comparison_charts(found).items() if name != "summary"},
        flipped=tuple(_flipped(flip) for flip in found.flips),
        flips=found.flip_count,
        notes=(*found.notes, *_unreadable(found.skipped_lines)),
        since=found.since,
        clusters=found.clusters,
        forecast=in_words(found.forecast) if found.forecast else "",
        **{name: getattr(found, name) for name in COMMON},
    )


def _flipped(flip: Flip) -> FlippedRow:
    texts = {name: compact(getattr(flip, name), CELL) for name in ("input", "stable", "candidate")}
    return FlippedRow(pair_id=flip.pair_id, row=flip.row, ts=flip.ts, changes=tuple(flip.changes), **texts)


def _unreadable(lines: int) -> tuple[str, ...]:
    return (unreadable(lines),) if lines else ()


def unreadable(lines: int) -> str:
    """The note about lines that a kill tore, or that another program wrote."""
    return (
        f"{lines} line{'s' * (lines != 1)} of the records cannot be read and {'are' if lines != 1 else 'is'} left out"
    )
