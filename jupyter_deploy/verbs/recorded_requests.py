"""Recorded requests for those who measure again: validation notebooks, and whoever calls ``recorded()`` by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.ground_truth import FILE, MOST_ROWS, OF, SINCE, RecordedRows
from jupyter_deploy.domain.parsing import parse_moment
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Step

from .change import find
from .run_plan import Planned

Since = timedelta | datetime | str | None
"""So long ago, a moment, either as people write it; None: ``truth.SINCE``."""


@contextmanager
def with_recorded(
    planned: Sequence[Planned],
    traffic: str | None,
    since: Since,
    endpoint: str | None,
    ports: Ports,
    *,
    report: Report | None = None,
) -> Iterator[list[Planned]]:
    """Within, the same runs, those that are to have recorded requests with a file of them.

    Parameters
    ----------
    traffic
        The endpoint that all runs get requests of; None: those runs that are planned with ``traffic`` get
        them of ``endpoint``, which is validated.
    since
        From when on, for all runs; None: as the notebook says, else the last day.
    report
        Is told that they are being read, which may take seconds.

    Raises
    ------
    InvalidInput
        Nothing is on record, or no data; or a notebook wants requests and there is no endpoint.
    """
    moment_now = now()
    with contextlib.ExitStack() as files:
        found: dict[datetime, dict[str, str]] = {}

        def variables(one: Planned) -> dict[str, str]:
            name = traffic or endpoint
            if name is None:
                raise InvalidInput(
                    f"{one.notebook.path.name} wants recorded requests, and of which endpoint is not said",
                    "add --traffic NAME, or --snapshot with an endpoint's name",
                )
            start = _start(since if since is not None else one.traffic, moment_now)
            if start not in found:
                if report is not None:
                    report(Step(number=1, total=1, title=f"reading the recorded requests of {name}"))
                rows = files.enter_context(rows_of(name, start, MOST_ROWS, ports))
                found[start] = {FILE: str(rows.path), OF: str(rows.of)}
            return found[start]

        given = []
        for one in planned:
            if traffic is None and one.traffic is None:
                given.append(one)
                continue
            given.append(replace(one, variables={**one.variables, **variables(one)}))
        yield given


@contextmanager
def rows_of(name: str, since: Since, limit: int, ports: Ports) -> Iterator[RecordedRows]:
    """Within, a file of an endpoint's recorded rows, of which there is at least one.

    Raises
    ------
    InvalidInput
        There is none; it says why, and what to do.
    """
    endpoint, start = find(ports, name), _start(since, now())
    with ports.truth.recorded(endpoint.name, since=start, limit=limit) as rows:
        if not rows.rows:
            raise _nothing(endpoint, start, rows)
        yield rows


def _start(since: Since, moment_now: datetime) -> datetime:
    given: timedelta | datetime | None = parse_moment(since)
    return given if isinstance(given, datetime) else moment_now - (given or SINCE)


def _nothing(endpoint: Endpoint, start: datetime, rows: RecordedRows) -> InvalidInput:
    name, when = endpoint.name, f"since {start.astimezone():%Y-%m-%d %H:%M:%S}"
    if rows.bare or endpoint.record != "full":
        return InvalidInput(
            f"{name} has no recorded data {when}: it records '{endpoint.record}'"
            + (f", and {rows.bare} requests were recorded without inputs and outputs" if rows.bare else ""),
            f"'nbdeploy traffic {name} --record full' has them kept from then on",
        )
    return InvalidInput(
        f"no request to {name} was answered and recorded {when}",
        "look further back, such as --since 7d, or wait for requests",
    )
