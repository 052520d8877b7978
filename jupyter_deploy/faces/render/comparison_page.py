"""The page of a comparison: the verdict first, then each figure with its interval, and the flipped rows."""

from __future__ import annotations

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.evidence.forecast import in_words
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Requirement

from .comparison_segments import phase_tables, segment_facts, segment_tables
from .comparison_tables import changed_fields, difference_facts, difference_tables
from .page import Page, Table, short


def comparison_page(result: Comparison) -> Page:
    """Make the page of a comparison."""
    method = (
        "paired, on the same requests"
        if result.paired
        else "unpaired: the canary answered other requests than stable, of the same time"
    )
    sample = "" if result.record_sample == 1 else f"; a {percent_in_words(result.record_sample)} sample is recorded"
    facts = [
        ("verdict", f"{result.verdict.upper()}: {result.reason}"),
        ("recommended", RECOMMENDED[result.recommendation].format(endpoint=result.endpoint)),
        *([("until a verdict", in_words(result.forecast))] if result.forecast else []),
        ("compared", f"{result.role}, {method}; [95 % intervals] that hold however often one looks"),
        ("pairs", f"{result.pairs} requests, {result.rows} rows{sample}"),
        ("clusters", _clusters(result)),
        ("coverage", percent(result.coverage, f"of {result.mirrored} mirrored")),
        ("agreement", percent(result.agreement, f"of {result.rows} rows")),
        ("agreement at worst", _worst_case(result)),
        ("flipped rows", str(result.flip_count)),
        ("refused", percent(result.refusal_rate, "of what stable answers")),
        ("errors, candidate − stable", percent(result.error_difference, "")),
        ("latency, candidate − stable", _milliseconds(result.latency_difference_ms)),
        ("slow answers", percent(result.slow_rate, "take longer than stable's 95th percentile")),
        ("with one-minute blocks", _by_minute(result)),
    ]
    if not result.paired:
        facts = [fact for fact in facts if fact[0] not in _OF_PAIRS]
    facts += [*_by_truth(result), *_numbers(result), *difference_facts(result), *segment_facts(result)]
    for name, counts in (("candidate's errors", result.errors), ("not answered", result.shadow_failures)):
        if counts:
            facts.append((name, ", ".join(f"{short(reason)}: {count}" for reason, count in counts.items())))
    facts += [("note", note) for note in result.notes]
    if result.skipped_lines:
        facts.append(("unreadable records", str(result.skipped_lines)))
    sides = [
        (
            side,
            s.release,
            str(s.requests),
            str(s.errors),
            _number(s.latency_p50_ms),
            _number(s.latency_p95_ms),
            _top(s.answers),
        )
        for side, s in result.sides.items()
    ]
    tables = [Table("", ("side", "release", "requests", "errors", "p50 ms", "p95 ms", "answers"), sides)]
    if result.requirements:
        required = [(r.expression, r.outcome, _value(r)) for r in result.requirements]
        tables.insert(0, Table("required", ("figure", "outcome", "found"), required))
    if result.flips:
        rows = [
            (f.request_id, str(f.row), short(f.stable), short(f.candidate), short(f.input)) for f in result.flips[:10]
        ]
        shown = f"{min(10, len(result.flips))} of {result.flip_count} flipped rows, latest first"
        tables.append(Table(shown, ("request", "row", "stable", "candidate", "input"), rows))
    if changed := changed_fields(result):
        tables.append(changed)
    tables += [*difference_tables(result), *segment_tables(result), *phase_tables(result)]
    if result.labelled:
        labelled = [(s.by, s.value, f"{s.labelled} of {s.requests}") for s in result.labelled]
        tables.append(Table("requests with ground truth", ("by", "value", "labelled"), labelled))
    if result.answer_shares:
        shares = [(name, percent(share, "")) for name, share in result.answer_shares.items()]
        tables.append(Table("share of each answer, candidate − stable", ("answer", "difference"), shares))
    return Page(f"{result.candidate} against {result.stable}", facts=facts, tables=tables)


RECOMMENDED = {
    "promote": "promote: it is shown to be no worse",
    "stop": "stop: it is shown to be worse",
    "decide": "decide: it gives other answers, and figures do not show which are right. With ground truth: "
    "'nbdeploy validate NOTEBOOK --traffic {endpoint}'",
    "wait": "wait: more requests will tell",
}
_OF_PAIRS = ("pairs", "coverage", "agreement", "agreement at worst", "flipped rows", "refused")


def _value(requirement: Requirement) -> str:
    if requirement.value is None:
        return requirement.why
    if requirement.interval is None:
        return f"{requirement.value:g}{f': {requirement.why}' if requirement.why else ''}"
    low, high = requirement.interval.low, requirement.interval.high
    return f"{requirement.value:.6g} [{low:.6g}, {high:.6g}]"


def _numbers(result: Comparison) -> list[tuple[str, str]]:
    facts = []
    if result.numeric_difference:
        facts.append(("|difference|", ", ".join(f"{k} {v:.3g}" for k, v in result.numeric_difference.items())))
    if result.relative_difference:
        equal = f"equal within {result.relative_tolerance:.3g} of stable's or {result.absolute_tolerance:.3g}"
        sizes = ", ".join(f"{name} {percent(size, '')}" for name, size in result.relative_difference.items())
        facts += [("relative difference", sizes), ("numbers", equal)]
    return facts


def _by_truth(result: Comparison) -> list[tuple[str, str]]:
    facts = []
    if result.accuracy_difference:
        facts.append(("accuracy, candidate − stable", percent(result.accuracy_difference, "of the labelled")))
    if loss := result.absolute_error_difference:
        low, high = loss.interval.low, loss.interval.high
        facts.append(("absolute error, candidate − stable", f"{loss.value:+.4g} [{low:+.4g}, {high:+.4g}] (median)"))
    ages = [share for share in result.labelled if share.by == "age"]
    if ages:
        labelled, requests = (sum(getattr(share, name) for share in ages) for name in ("labelled", "requests"))
        facts.append(("with ground truth", f"{labelled} of {requests} requests"))
    return facts


def _clusters(result: Comparison) -> str:
    inputs = f"{result.distinct_inputs} distinct inputs"
    return f"{result.clusters} (requests of one x-sticky-key, or of equal inputs), {inputs}"


def _worst_case(result: Comparison) -> str:
    if result.agreement_worst_case is None:
        return "not enough evidence"
    return f"{result.agreement_worst_case:.2%} if all without a comparison disagreed"


def _by_minute(result: Comparison) -> str:
    names = {"agreement": "agreement", "error_rate_difference": "errors", "latency_p50_difference_ms": "latency"}
    figures = [
        f"{words} {_milliseconds(figure) if name.endswith('_ms') else percent(figure, '')}"
        for name, words in names.items()
        if (figure := result.by_minute.get(name))
    ]
    return "; ".join(figures) or "not enough evidence"


def percent(estimate: Estimate | None, of: str) -> str:
    """Format a share with its interval, or the lack of evidence."""
    if estimate is None:
        return "not enough evidence"
    low, high = estimate.interval.low, estimate.interval.high
    return f"{estimate.value:.2%} [{low:.2%}, {high:.2%}] {of}".strip()


def _milliseconds(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not enough evidence"
    return f"{estimate.value:+.2f} ms [{estimate.interval.low:+.2f}, {estimate.interval.high:+.2f}] (median)"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _top(answers: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in list(answers.items())[:5])
