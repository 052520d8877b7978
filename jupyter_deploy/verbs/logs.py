"""The verb ``logs``: the records of an endpoint."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import LogsRequest

from .change import find, moment


def logs(request: LogsRequest, ports: Ports, report: Report) -> Iterable[Record]:
    """Return records, oldest first; with ``follow`` an iterator that continues with new ones."""
    endpoint = find(ports, request.name)
    filters: dict[str, Any] = {"role": request.role, "status": request.status, "request_ids": request.request_id}
    past: list[Record] = []
    if not request.follow or request.since or request.limit:
        since = moment(request.since)
        past = ports.log.records(endpoint.name, since=since, limit=request.limit, **filters)
    if not request.follow:
        return past
    return itertools.chain(past, ports.log.follow(endpoint.name, **filters))
