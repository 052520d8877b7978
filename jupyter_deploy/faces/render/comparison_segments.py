"""The segments of a comparison's page as a forest plot, and the phases of a candidate."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_deploy.domain.evidence.inference import Comparison, Estimate
from jupyter_deploy.domain.evidence.segment_figures import SegmentFigure, SegmentsFigure

from .comparison_tables import figure
from .page import Table, short

WIDTH = 24
"""Characters of a plotted interval."""

_NAMES = {"worse": "WORSE", "differs": "DIFFERS"}


def segment_facts(result: Comparison) -> Iterator[tuple[str, str]]:
    """Yield what the segments say together."""
    found = result.segments
    if found is None:
        return
    yield "segments", f"{'; '.join(found.declared)}{_declared(found)}"
    named = [f"{one.column} {one.value}: {' and '.join(one.named)}" for one in found.segments if one.named]
    yield "named segments", "; ".join(named) or "none"
    yield "some segment", f"worse: evidence {found.worse:.3g}; agrees on less than 99 %: {found.differ:.3g} (of 20)"


def segment_tables(result: Comparison) -> Iterator[Table]:
    """Yield a table with an interval of each segment: of the agreement, of a canary's errors."""
    found = result.segments
    if found is None or not found.segments:
        return
    name, low, high = ("agreement", 0.0, 1.0) if result.paired else ("errors, candidate − stable", -1.0, 1.0)
    if shown := [figure_ for one in found.segments if (figure_ := _main(one, paired=result.paired))]:
        low, high = min(one.interval.low for one in shown), max(one.interval.high for one in shown)
    rows = [
        (
            f"{short(one.column)} {short(one.value)}",
            _plot(_main(one, paired=result.paired), low, high),
            figure(_main(one, paired=result.paired)),
            *([figure(one.error_difference)] if result.paired else []),
            str(one.rows),
            ", ".join(_NAMES[name] for name in one.named),
        )
        for one in found.segments
    ]
    errors = ["errors, candidate − stable"] if result.paired else []
    yield Table(found.note, ("segment", f"{low:.3g} to {high:.3g}", name, *errors, "rows", "named"), rows)


def phase_tables(result: Comparison) -> Iterator[Table]:
    """Yield the evidence of each role that the candidate had."""
    if result.phases:
        rows = [
            (
                one.role,
                f"{one.first:%Y-%m-%d %H:%M} to {one.last:%Y-%m-%d %H:%M}",
                str(one.requests),
                figure(one.agreement) if one.paired else "–",
                figure(one.error_difference),
                f"{one.verdict.upper()}: {one.reason}",
            )
            for one in result.phases
        ]
        head = ("role", "requests (UTC)", "number", "agreement", "errors, candidate − stable", "verdict")
        yield Table("phases of the candidate", head, rows)


def _declared(found: SegmentsFigure) -> str:
    if found.declared_at is None:
        return " (for this look)"
    return f" (declared {found.declared_at:%Y-%m-%d %H:%M} UTC; later requests count)"


def _main(one: SegmentFigure, *, paired: bool) -> Estimate | None:
    return one.agreement if paired else one.error_difference


def _plot(estimate: Estimate | None, low: float, high: float) -> str:
    """Draw an interval with its figure on a line from ``low`` to ``high``: ``──●──``."""
    if estimate is None or high <= low:
        return ""
    start, middle, stop = (
        round((value - low) / (high - low) * (WIDTH - 1))
        for value in (estimate.interval.low, estimate.value, estimate.interval.high)
    )
    return "".join("●" if place == middle else "─" if start <= place <= stop else " " for place in range(WIDTH))
