"""Documents of the Monitor for the widgets; TypeScript's types are made from these too."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.monitoring.monitor import Marker
from jupyter_deploy.domain.monitoring.words import MonitorAlarm, MonitorFeature, RangeFigure, SegmentFigures

Chart = dict[str, Any]


class ComparedRange(Value):
    """The second range: its time, that of its compared ``values`` in words, and the figures of both ranges."""

    since: datetime
    until: datetime
    values: str
    figures: tuple[RangeFigure, ...]


class MonitorView(Value):
    """An endpoint in a range of time, without its performance, which takes longer to read.

    ``charts`` by name: rate, errors, refused, latency, joint, answers, features. ``reference``: the origin of the
    reference and the alarms' rate of errors, in words. ``values``: the time of the compared values, in words; empty:
    none. ``joint``: the latest day's joint shift of all inputs, in words; empty: none. ``begun``: the endpoint's begin,
    if it is in the range. ``state``: of the watch. ``compared``: the second range, if one is asked for. ``notes``: the
    reasons why a part is missing.
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
    joint: str = ""
    begun: datetime | None = None
    compared: ComparedRange | None = None
    notes: tuple[str, ...]


class PerformanceView(Value):
    """The performance by ground truth, and estimated; ``rows``: those with ground truth.

    ``chart``: None if there is neither. ``estimate``: what the estimate is, and how far it is off; empty: none.
    ``by_segment``: the chart of the declared segments; ``segments``: their figures in the range, and in the second one
    if ``compared``; ``declared``: there are declarations; ``left_out``: that some segments are left out, in words.
    """

    rows: int = 0
    chart: Chart | None = None
    by_segment: Chart | None = None
    segments: tuple[SegmentFigures, ...] = ()
    declared: bool = False
    left_out: str = ""
    compared: bool = False
    estimate: str = ""
