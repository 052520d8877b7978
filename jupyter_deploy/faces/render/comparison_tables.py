"""The tables of a comparison's page: refusals, answers, numbers, fields. Numbers have three significant digits."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_deploy.domain.evidence.answer_differences import AnswerShape, FieldAgreement
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate

from .page import Table, short

SHOWN = 10


def difference_facts(result: Comparison) -> Iterator[tuple[str, str]]:
    """Yield facts about numbers and the tolerance."""
    if numbers := result.numbers:
        yield "bias", f"{figure(numbers.bias)} (median of candidate − stable), mean {numbers.mean:.3g}"
        yield "spread", f"{figure(numbers.spread)} (interquartile range of candidate − stable)"
        yield "within the tolerance", f"{numbers.within_tolerance:.3g} of {numbers.rows} rows"
    if result.tolerance_from == "endpoint":
        yield "tolerance", f"the endpoint's; 'nbdeploy traffic {result.endpoint} --tolerance' changes it"
    if result.refused.stable or result.refused.candidate:
        yield "refused requests", f"{result.refused.stable} by stable, {result.refused.candidate} by the candidate"


def difference_tables(result: Comparison) -> Iterator[Table]:
    """Yield the tables that have rows."""
    if result.refusals:
        rows = [
            (one.release, str(one.status), one.reason or "no reason recorded", str(one.requests), _statuses(one.other))
            for one in result.refusals[:SHOWN]
        ]
        yield Table("refused requests", ("by", "status", "reason", "requests", "the other release's answer"), rows)
    if result.answers:
        counts = [(one.answer or "other answers", str(one.stable), str(one.candidate)) for one in result.answers]
        yield Table("answers", ("answer", "stable", "candidate"), counts)
    if result.fields:
        left = f", {SHOWN} of {result.fields_total}" if result.fields_total > SHOWN else ""
        fields = [(_name(one), figure(one.agreement), str(one.differ)) for one in result.fields[:SHOWN]]
        yield Table(f"fields, most different first{left}", ("field", "agreement", "rows that differ"), fields)
    if result.shapes:
        shapes = [(one.field or "answer", one.kind, str(one.rows), _shape(one)) for one in result.shapes[:SHOWN]]
        yield Table("in a sample of rows", ("field", "kind", "rows", "stable → candidate"), shapes)


def changed_fields(result: Comparison) -> Table | None:
    """Return the flipped rows by the fields that differ; None: answers are scalars."""
    rows = [
        (flip.request_id, str(flip.row), change.field, short(change.stable), short(change.candidate))
        for flip in result.flips[:SHOWN]
        for change in flip.changes
    ]
    if not rows:
        return None
    return Table("changed fields, latest first", ("request", "row", "field", "stable", "candidate"), rows)


def figure(estimate: Estimate | None) -> str:
    """Format a figure with its interval."""
    if estimate is None:
        return "not enough evidence"
    return f"{estimate.value:.3g} [{estimate.interval.low:.3g}, {estimate.interval.high:.3g}]"


def _statuses(counts: dict[str, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in counts.items())


_ASPECTS = {
    "value": "",
    "order": " (as it is)",
    "set": " (as a set)",
    "argmax": " (most likely class)",
    "length": " (length)",
}


def _name(field: FieldAgreement) -> str:
    return f"{field.field or 'answer'}{_ASPECTS[field.aspect]}"


def _shape(shape: AnswerShape) -> str:
    parts = [
        f"{name} {value:.3g} → {shape.candidate[name]:.3g}"
        for name, value in shape.stable.items()
        if name in shape.candidate
    ]
    parts += [] if shape.exact is None else [f"equal {shape.exact:.3g}"]
    parts += [] if shape.overlap is None else [f"overlap {shape.overlap:.3g}"]
    parts += [f"{one.stable:.3g} → {one.candidate:.3g}" for one in shape.calibration]
    return ", ".join(parts)
