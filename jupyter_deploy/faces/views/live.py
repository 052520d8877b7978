"""The last minutes of an endpoint, from its records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jupyter_deploy.domain.base import now, percent_in_words
from jupyter_deploy.domain.monitoring.traffic_charts import traffic_charts
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.verbs.change import find

from .documents import LiveView
from .requests import LiveRequest

MOST_SPANS = 90
_LENGTHS = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)


def live(request: LiveRequest, ports: Ports) -> LiveView:
    """Return the last minutes of each release up to a few seconds ago, in at most ``MOST_SPANS`` whole spans."""
    endpoint = find(ports, request.name)
    asked = request.minutes * 60
    seconds = next(length for length in _LENGTHS if asked <= length * MOST_SPANS)
    every = timedelta(seconds=seconds)
    # Whole steps of the clock: who looks again within one sees the same spans, and none that is half over.
    until = datetime.fromtimestamp(now().timestamp() // _LENGTHS[0] * _LENGTHS[0], UTC)
    since = until - max(1, asked // seconds) * every
    spans, refusals = ports.log.time_series(endpoint.name, since=since, until=until, every=every)
    return LiveView(
        charts=traffic_charts(spans, since=since, until=until, every=every, latest=True),
        minutes=request.minutes,
        requests=sum(span.requests for span in spans if span.role != "shadow"),
        refusals=tuple(refusals),
        note=_note(endpoint, seen=bool(spans)),
    )


def _note(endpoint: Endpoint, *, seen: bool) -> str:
    if endpoint.record == "off":
        return (
            "Requests are not recorded (record: off), so there is no data here. "
            f"Run 'nbdeploy traffic {endpoint.name} --record meta' to record requests without their data."
        )
    if not endpoint.running:
        return f"{endpoint.name} is stopped."
    if not seen:
        return "No requests in this period."
    share = percent_in_words(endpoint.record_sample)
    return "" if endpoint.record_sample == 1 else f"Estimated: {share} of the requests are recorded."
