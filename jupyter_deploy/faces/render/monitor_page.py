"""The page of a written report: its files, the alarms, and the features by drift."""

from __future__ import annotations

from jupyter_deploy.domain.monitoring.monitor import MonitorReport
from jupyter_deploy.domain.monitoring.words import alarms_of, feature_of, values_of

from .page import Page, Table, VerdictLine

_MOST_ALARMS = 10
_MOST_FEATURES = 12


def monitor_page(result: MonitorReport) -> Page:
    """Make the page of a report."""
    monitor = result.monitor
    alarms = alarms_of(monitor.drift) if monitor.drift else ()
    facts = [("file", result.file), *(("notebook", name) for name in [result.notebook] if name)]
    facts += [
        ("range", f"{monitor.since:%Y-%m-%d %H:%M} to {monitor.until:%Y-%m-%d %H:%M} UTC"),
        ("requests", f"{monitor.requests:,}, {monitor.errors:,} failed, {monitor.refused:,} refused"),
        *(("values of", words) for words in [values_of(monitor)] if words),
        *(("note", note) for note in monitor.notes),
    ]
    lines = [VerdictLine("fail", alarm.words, f"request {alarm.request_id}") for alarm in alarms[:_MOST_ALARMS]]
    tables = []
    features = [feature_of(one) for one in monitor.drift.features[:_MOST_FEATURES]] if monitor.drift else []
    if features:
        rows = [(one.name, one.moved, str(one.alarms or "–"), f"{one.evidence:.3g}") for one in features]
        tables.append(Table("features by drift", ("feature", "what moved", "alarms", "e-value"), rows))
    count = f"{len(alarms)} alarm{'s' * (len(alarms) != 1)}" if alarms else "no alarm"
    return Page(f"The report of {result.endpoint} is written: {count}", lines=lines, facts=facts, tables=tables)
