"""Metrics of the drift of a release, for Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jupyter_deploy.domain.drift.drift import Drift, FeatureDrift

from .exposition import Exposition, Labels

MOST_FEATURES = 50
"""Features with metrics of their own, by name, so that the set of series stays the same."""


def drift_metrics(drift: Drift, at: datetime) -> str:
    """Return the metrics as an exposition; the exporter adds the labels of endpoint and release.

    Parameters
    ----------
    at
        The time at which the records were read.
    """
    exposition = Exposition()
    _add(
        exposition, "nbdeploy_drift_clusters_total", "counter", "Clusters of requests that were watched", drift.clusters
    )
    _add(exposition, "nbdeploy_drift_alarms_total", "counter", "Drift alarms of the release", drift.drift_alarms)
    _add(exposition, "nbdeploy_drift_update_timestamp_seconds", "gauge", "Last update of the watch", at.timestamp())
    if drift.alarms:
        words = "Time of the request that raised the last drift alarm"
        last = max(alarm.ts for alarm in drift.alarms)
        _add(exposition, "nbdeploy_drift_last_alarm_timestamp_seconds", "gauge", words, last.timestamp())
    if drift.state == "watching":
        words = "Evidence of drift in all features: the average of their e-values, 125 or more raises an alarm"
        _add(exposition, "nbdeploy_drift_release_e_value", "gauge", words, drift.evidence)
    features = sorted(drift.features, key=lambda one: (one.group, one.name))[:MOST_FEATURES]
    evidence = [(_labels(feature), feature.evidence) for feature in features]
    exposition.add("nbdeploy_drift_e_value", "gauge", "Evidence of drift in a feature: its e-value", evidence)
    alarms: Sequence[tuple[Labels, float]] = [(_labels(feature), feature.alarms) for feature in features]
    words = "Drift alarms that named the feature"
    exposition.add("nbdeploy_drift_feature_alarms_total", "counter", words, alarms)
    sizes = [(_labels(one), one.jensen_shannon) for one in features if one.jensen_shannon is not None]
    words = "Jensen-Shannon divergence (bits) of the last clusters from the reference: a size without a scale"
    exposition.add("nbdeploy_drift_jensen_shannon_divergence", "gauge", words, sizes)
    quality = drift.quality[: 2 * MOST_FEATURES]
    shown = [({"feature": one.feature, "what": one.what}, float(one.shown)) for one in quality]
    words = "1 if a feature has certainly more such rows than the reference"
    exposition.add("nbdeploy_quality_alarm", "gauge", words, shown)
    return exposition.text()


def _add(exposition: Exposition, name: str, kind: str, words: str, value: float) -> None:
    exposition.add(name, kind, words, [({}, value)])


def _labels(feature: FeatureDrift) -> Labels:
    return {"group": feature.group, "feature": feature.name}
