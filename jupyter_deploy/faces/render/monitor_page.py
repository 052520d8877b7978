"""The page of a written report: its files, the alarms, and the features by drift."""

from __future__ import annotations

from jupyter_deploy.domain.monitoring.monitor import MonitorReport
from jupyter_deploy.domain.monitoring.words import alarms_of, features_of, range_figures, range_of, values_of

from .page import Page, Table, VerdictLine

_MOST_ALARMS = 10
_MOST_FEATURES = 12


def monitor_page(result: MonitorReport) -> Page:
    """Make the page of a report."""
    monitor = result.monitor
    alarms = alarms_of(monitor.drift) if monitor.drift else ()
    facts = [("file", result.file), *(("notebook", name) for name in [result.notebook] if name)]
    facts += [
        ("range", range_of(monitor)),
        *([("compared with", range_of(monitor.compared))] if monitor.compared else []),
        ("requests", f"{monitor.requests:,}, {monitor.errors:,} failed, {monitor.refused:,} refused"),
        *(("values of", words) for words in [values_of(monitor)] if words),
        *(("note", note) for note in monitor.notes),
    ]
    lines = [VerdictLine("fail", alarm.words, f"request {alarm.request_id}") for alarm in alarms[:_MOST_ALARMS]]
    tables = []
    if figures := range_figures(monitor):
        both = [(one.name, one.now, one.compared) for one in figures]
        tables.append(Table("both ranges", ("figure", "range", "compared with"), both))
    features = features_of(monitor)[:_MOST_FEATURES]
    if features:
        heads = ["feature", "what moved", "alarms", "e-value", "since the compared range"]
        rows = [[one.name, one.moved, str(one.alarms or "–"), f"{one.evidence:.3g}", one.compared] for one in features]
        shown = len(heads) if monitor.compared else len(heads) - 1
        tables.append(Table("features by drift", heads[:shown], [row[:shown] for row in rows]))
    count = f"{len(alarms)} alarm{'s' * (len(alarms) != 1)}" if alarms else "no alarm"
    return Page(f"The report of {result.endpoint} is written: {count}", lines=lines, facts=facts, tables=tables)
