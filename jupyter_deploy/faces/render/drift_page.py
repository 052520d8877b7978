"""The page of a release's drift: the alarms first, each with a remedy, then every feature against the reference."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.drift.drift import Drift, DriftAlarm, FeatureDrift, QualityAlarm
from jupyter_deploy.domain.drift.words import (
    alarm_in_words,
    assumption_in_words,
    joint_in_words,
    moved_in_words,
    name_in_words,
    quality_in_words,
    share_in_words,
)
from jupyter_deploy.domain.monitoring.confidence import LIMITS, ExpectedPeriod, basis_of

from .page import Page, Table, VerdictLine

_BARS = "▁▂▃▄▅▆▇█"
_MOST_FEATURES = 30
_LEAST_NOW = 20
_VISIBLE = 0.002
_RARE = ("below", "above", "new", "missing")


def drift_page(result: Drift) -> Page:
    """Make the page of a look at the drift."""
    facts = [
        ("state", _STATES[result.state]),
        *((f"reference, {group}", words) for group, words in result.origin.items()),
        ("requests", f"{result.requests:,}, {result.rows:,} rows, {result.clusters:,} clusters{_period(result)}"),
    ]
    if result.tolerance is not None:
        sentence = f"drift of less than {result.tolerance:.2g} standard deviations raises no alarm"
        facts.append(("how sure", f"at most {percent_in_words(result.false_alarms)} false alarms a run; {sentence}"))
        facts.append(("assumed", assumption_in_words(result)))
    if result.expected:
        facts.append(("accuracy, estimated", _expected(result.expected)))
    if result.joint:
        facts.append(("all inputs together", joint_in_words(result.joint)))
    facts += [("note", note) for note in result.notes]
    tables = []
    if result.requirements:
        required = [
            (r.expression, r.outcome, f"{r.value:g}{f': {r.why}' if r.why else ''}") for r in result.requirements
        ]
        tables.append(Table("required", ("figure", "outcome", "found"), required))
    if result.quality:
        tables.append(
            Table("quality", ("feature", "what", "rows", "share", "reference", "first request"), _quality(result))
        )
    if result.features:
        shown = result.features[:_MOST_FEATURES]
        title = "features, reference against now (the last 1,000 to 2,000 clusters)"
        if len(shown) < len(result.features):
            title += f": {len(shown)} of {len(result.features)}, by evidence; -o json has all"
        head = ("feature", "reference", "now", "what moved", "e-value", "PSI", "JS")
        tables.append(Table(title, head, [_row(feature) for feature in shown]))
    lines = [line for alarm in result.alarms[:5] for line in _alarm(alarm, result)]
    lines += [_quality_line(one) for one in result.quality if one.shown]
    code = _remedies(result) if lines else ""
    return Page(_headline(result), lines=lines, facts=facts, tables=tables, code=code)


_STATES = {
    "watching": "watching",
    "collecting": "collecting the reference: the first recorded requests, since the training table is not known",
    "none": "nothing to look at: no requests were recorded with their inputs",
}


def _expected(found: ExpectedPeriod) -> str:
    basis = basis_of(found.calibrated)
    rows = f"a sample of {found.rows:,} rows" if found.sampled else f"{found.rows:,} rows"
    since = f"{found.start:%Y-%m-%d %H:%M} UTC"
    return f"{share_in_words(found.accuracy)} of {rows} since {since}, by probabilities {basis}; {LIMITS}"


def _headline(result: Drift) -> str:
    counts = f"{result.drift_alarms} drift alarm{'s' * (result.drift_alarms != 1)}, "
    counts += f"{result.quality_alarms} quality alarm{'s' * (result.quality_alarms != 1)}"
    return f"drift of {result.release}: {counts}"


def _period(result: Drift) -> str:
    if result.first is None or result.last is None:
        return ""
    return f", {result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M} UTC"


def _alarm(alarm: DriftAlarm, result: Drift) -> list[VerdictLine]:
    return [VerdictLine("fail", alarm_in_words(alarm, result.features), f"request {alarm.request_id}")]


def _quality_line(one: QualityAlarm) -> VerdictLine:
    return VerdictLine(
        "fail",
        f"{quality_in_words(one)}: {one.count:,}, {share_in_words(one.share)} of the clusters",
        f"first: {one.first_request}",
    )


def _quality(result: Drift) -> list[tuple[str, ...]]:
    return [
        (
            one.feature or "–",
            f"{one.what}{' !' if one.shown else ''}",
            f"{one.count:,}",
            share_in_words(one.share),
            "–" if one.reference is None else share_in_words(one.reference),
            f"{one.first_request} at {one.first:%Y-%m-%d %H:%M}",
        )
        for one in result.quality
    ]


def _row(feature: FeatureDrift) -> tuple[str, ...]:
    enough = feature.clusters >= _LEAST_NOW
    return (
        f"{name_in_words(feature)}{' !' if feature.alarms else ''}",
        picture(feature.reference, feature.reference, feature.bins),
        picture(feature.now, feature.reference, feature.bins) if feature.clusters else "",
        moved_in_words(feature, feature.now) if enough else "too few clusters",
        f"{feature.evidence:.3g}",
        "–" if feature.psi is None or not enough else f"{feature.psi:.3f}",
        "–" if feature.jensen_shannon is None or not enough else f"{feature.jensen_shannon:.3f}",
    )


def picture(shares: Sequence[float], reference: Sequence[float], bins: Sequence[str]) -> str:
    """Draw shares as bars, those of rare values (below, above, new, missing) after a gap.

    Both pictures of a feature have one scale, up to twice the reference's largest share.
    """
    top = min(2 * max(reference, default=1.0), 1.0)
    bars = [_BARS[min(int(share / top * len(_BARS)), len(_BARS) - 1)] if share >= _VISIBLE else " " for share in shares]
    rare = next(at for at in range(len(bins), -1, -1) if at == 0 or bins[at - 1] not in _RARE)
    return f"{''.join(bars[:rare])} {''.join(bars[rare:])}".rstrip()


def _remedies(result: Drift) -> str:
    name, version = result.endpoint, result.release.partition(":")[2]
    since = (
        f" --since {result.alarms[0].features[0].since:%Y-%m-%dT%H:%MZ}"
        if result.alarms and result.alarms[0].features
        else ""
    )
    return "\n".join(
        (
            f"nbdeploy logs {name}{since}          # the requests behind it",
            f"nbdeploy drift {name} --release {version}{since}   # only these requests",
            f"nbdeploy history {name}              # the releases to roll back to; or train again with the new rows",
        )
    )
