"""Documents of the Monitor for the widgets; TypeScript's types are made from these too."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.monitoring.monitor import Marker
from jupyter_deploy.domain.monitoring.words import MonitorAlarm, MonitorFeature

Chart = dict[str, Any]


class MonitorView(Value):
    """An endpoint in a range of time, without its performance, which takes longer to read.

    ``charts`` by name: rate, errors, refused, latency, answers, features. ``reference``: the origin of the reference
    and the alarms' rate of errors, in words. ``values``: the time of the compared values, in words; empty: none.
    ``state``: of the watch. ``notes``: the reasons why a part is missing.
    """

    release: str
    since: datetime
    until: datetime
    spans: str
    requests: int
    errors: int
    refused: int
    charts: dict[str, Chart]
    alarms: tuple[MonitorAlarm, ...]
    features: tuple[MonitorFeature, ...]
    markers: tuple[Marker, ...]
    state: Literal["watching", "collecting", "none"]
    reference: tuple[str, ...]
    values: str
    notes: tuple[str, ...]


class PerformanceView(Value):
    """The performance where there is ground truth; ``rows``: those with ground truth, 0: there is no chart."""

    rows: int
    chart: Chart | None
