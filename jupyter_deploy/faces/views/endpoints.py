"""All endpoints in a list, and one of them opened."""

from __future__ import annotations

from datetime import datetime

from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.requests import ListRequest
from jupyter_deploy.faces.render.endpoint_page import state_in_words
from jupyter_deploy.verbs.change import find, target_of
from jupyter_deploy.verbs.status import list_, status_of

from .cards import SHOWN_REVISIONS, address, endpoint_view
from .documents import EndpointRow, EndpointsView, EndpointView
from .processors import processors_of
from .rates import rates_of
from .recorded import recorded_of
from .requests import EndpointRequest, EndpointsRequest

SHOWN_METRICS = 4


def endpoints(_request: EndpointsRequest, ports: Ports) -> EndpointsView:
    """All endpoints, by name: one look at what runs, and no record is read."""
    rates = rates_of(ports.home)
    found = list_(ListRequest(), ports, lambda _: None)
    rates.only({status.name for status in found})
    changed = ports.store.changed()
    rows = tuple(_row(status, rates.note(status), changed.get(status.name)) for status in found)
    return EndpointsView(endpoints=rows, home=str(ports.home))


def _row(status: EndpointStatus, rates: dict[str, tuple[float, ...]], changed_at: datetime | None) -> EndpointRow:
    traffic = status.traffic
    answering = [rates[tag][-1] for tag in (traffic.stable, traffic.canary) if tag and rates.get(tag)]
    return EndpointRow(
        name=status.name,
        url=address(status),
        revision=status.revision,
        running=status.running,
        healthy=status.healthy,
        words=state_in_words(status),
        stable=traffic.stable,
        candidates=len(traffic.tags()) - 1,
        rate=round(sum(answering), 2) if answering else None,
        changed_at=changed_at,
    )


def endpoint(request: EndpointRequest, ports: Ports) -> EndpointView:
    """One endpoint: a card for each release, with live counts, and its history."""
    found = find(ports, request.name)
    target = target_of(ports, found.target)
    status = status_of(found, target.observe(found), ports)
    usage = target.usage(found.releases) if found.running else {}
    history = ports.store.history(found.name, SHOWN_REVISIONS + 1)
    return endpoint_view(
        found,
        status,
        rates_of(ports.home).note(status),
        history,
        ports.keep_revisions,
        publications=ports.store.publications(endpoint=found.name),
        metrics={release.tag: _metrics(release.tag, ports) for release in found.releases},
        recorded=recorded_of(status, ports),
        usage=usage,
        processors=processors_of(ports.home).note(usage),
    )


def _metrics(tag: str, ports: Ports) -> dict[str, float]:
    """Return the notebook's own metrics of a release's model; empty: its snapshot is not in this store."""
    snapshot = ports.store.remembered(tag)
    return dict(list(snapshot.manifest.metrics.items())[:SHOWN_METRICS]) if snapshot else {}
