"""Drift in words: the sentences of alarms and of moved shares, the same on every face. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.base import one_line

from .drift import Drift, DriftAlarm, DriftedFeature, FeatureDrift, JointShift, QualityAlarm

_MOST_NAMED = 5
_LABEL = 30
_HARDLY = 0.005
_SPECIAL = {
    "below": "below the reference's range",
    "above": "above the reference's range",
    "missing": "missing",
    "new": "new values",
}
_LAST = 3
"""The bins after the ordinary ones in words: ``more above the reference's range``."""


def joint_in_words(found: JointShift) -> str:
    """Return the figure of a joint shift, what it compares, and its scale."""
    rows = f"{found.rows:,} requests since {found.since:%Y-%m-%d %H:%M} UTC"
    first = f"the first {found.first_rows:,}, up to {found.first_until:%Y-%m-%d %H:%M}"
    return (
        f"a classifier tells {rows} from {first}, with an AUC of {found.auc:.2f} (0.5: not at all; 1: always); a "
        "description, not a test"
    )


def assumption_in_words(drift: Drift) -> str:
    """Return the condition under which the rate of false alarms holds."""
    if drift.hours is None:
        return (
            "if requests without drift come from one distribution: a daily or weekly cycle is drift too, and no rate "
            "of false alarms is promised for it"
        )
    return (
        f"if requests without drift of the same {drift.hours} (UTC) come from one distribution; each day is compared "
        "at its end"
    )


def alarm_in_words(alarm: DriftAlarm, features: Sequence[FeatureDrift]) -> str:
    """Return the moment of an alarm, its features and the evidence."""
    when = f"{alarm.ts:%Y-%m-%d %H:%M:%S}, after {alarm.units:,} clusters"
    return f"drift at {when}: {named_in_words(alarm, features)} (e-value {alarm.evidence:.3g})"


def named_in_words(alarm: DriftAlarm, features: Sequence[FeatureDrift]) -> str:
    """Name the features of an alarm, each with the bin whose share moved most."""
    by_name = {feature.name: feature for feature in features}
    parts = [_drifted(part, by_name.get(part.name)) for part in alarm.features[:_MOST_NAMED]]
    more = len(alarm.features) - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _drifted(part: DriftedFeature, feature: FeatureDrift | None) -> str:
    moved = f" {moved_in_words(feature, part.shares)}" if feature else ""
    return f"{part.name}{moved}, since about {part.since:%Y-%m-%d %H:%M}"


def moved_in_words(feature: FeatureDrift, now: Sequence[float]) -> str:
    """Name the bin whose share moved most: ``more of 3.1 to 4 (10 % to 24 %)``."""
    return moved_between(feature.bins, feature.reference, now)


def moved_between(bins: Sequence[str], earlier: Sequence[float], later: Sequence[float]) -> str:
    """Name the bin whose share moved most between two distributions."""
    size, at = max((abs(q - p), at) for at, (p, q) in enumerate(zip(earlier, later, strict=True)))
    before, after = earlier[at], later[at]
    if size < _HARDLY:
        return "hardly moved"
    special = _SPECIAL.get(bins[at]) if at >= len(bins) - _LAST else None  # not a category of this name
    label = special or f"of {one_line(bins[at], _LABEL)}"
    return f"{'more' if after > before else 'less'} {label} ({share_in_words(before)} to {share_in_words(after)})"


def quality_in_words(alarm: QualityAlarm) -> str:
    """Return the feature and the fault of its values."""
    words = {
        "new": "values that the reference lacks",
        "missing": "missing values",
        "out of range": "values outside the reference's range",
        "constant": "the same value all the time",
        "refused": "refused requests",
    }[alarm.what]
    return f"{alarm.feature}: {words}" if alarm.feature else words


def name_in_words(feature: FeatureDrift) -> str:
    """Return the name of a feature; a feature of the answers is marked."""
    return feature.name if feature.group == "inputs" else f"answers: {feature.name}"


def share_in_words(share: float) -> str:
    """Format a share with two digits: ``9.8 %``."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"
