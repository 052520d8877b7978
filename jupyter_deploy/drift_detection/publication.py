"""Publishes a watch: its metrics for the exporter, and its alarms to the user."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.domain.drift.drift import Drift
from jupyter_deploy.domain.monitoring.drift_metrics import drift_metrics
from jupyter_deploy.domain.monitoring.events import drift_events
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.system.notifications import UserNotifier


def publish(path: Path, drift: Drift, notifier: UserNotifier) -> None:
    """Write the metrics of a watch to a file, and send its alarms; the notifier omits those that it has sent."""
    write_atomic(path, drift_metrics(drift, datetime.now(UTC)))
    for event in drift_events(drift):
        notifier.send(event)
