"""Recorded requests for validation notebooks and for direct calls of ``recorded()``."""

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
"""A duration before now, a moment, or the text of either; None: ``ground_truth.SINCE``."""


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
    """Within, the same runs; a run that uses recorded requests has a file with them.

    Parameters
    ----------
    traffic
        The endpoint whose requests all runs get; None: the runs that are planned with ``traffic`` get those of
        ``endpoint``, which is validated.
    since
        The start for all runs; None: the notebook's own, else the last day.
    report
        Reports the start of reading, which may take seconds.

    Raises
    ------
    InvalidInput
        No request is recorded, or none with data; or a notebook uses requests and there is no endpoint.
    """
    moment_now = now()
    with contextlib.ExitStack() as files:
        files_by_start: dict[datetime, dict[str, str]] = {}

        def variables(one: Planned) -> dict[str, str]:
            name = traffic or endpoint
            if name is None:
                raise InvalidInput(
                    f"{one.notebook.path.name} uses recorded requests, and no endpoint is named",
                    "add --traffic NAME, or --snapshot with an endpoint's name",
                )
            start = _start(since if since is not None else one.traffic, moment_now)
            if start not in files_by_start:
                if report is not None:
                    report(Step(number=1, total=1, title=f"reading the recorded requests of {name}"))
                rows = files.enter_context(rows_of(name, start, MOST_ROWS, ports))
                files_by_start[start] = {FILE: str(rows.path), OF: str(rows.of)}
            return files_by_start[start]

        runs = []
        for one in planned:
            if traffic is None and one.traffic is None:
                runs.append(one)
                continue
            runs.append(replace(one, variables={**one.variables, **variables(one)}))
        yield runs


@contextmanager
def rows_of(name: str, since: Since, limit: int, ports: Ports, until: Since = None) -> Iterator[RecordedRows]:
    """Within, a file with at least one of an endpoint's recorded rows.

    Raises
    ------
    InvalidInput
        There is none; the error has the reason and the remedy.
    """
    endpoint, start = find(ports, name), _start(since, now())
    end = _start(until, now()) if until is not None else None
    with ports.truth.recorded(endpoint.name, since=start, until=end, limit=limit) as rows:
        if not rows.rows:
            raise _nothing(endpoint, start, rows)
        yield rows


def _start(since: Since, moment_now: datetime) -> datetime:
    start: timedelta | datetime | None = parse_moment(since)
    return start if isinstance(start, datetime) else moment_now - (start or SINCE)


def _nothing(endpoint: Endpoint, start: datetime, rows: RecordedRows) -> InvalidInput:
    name, when = endpoint.name, f"since {start.astimezone():%Y-%m-%d %H:%M:%S}"
    if rows.bare or endpoint.record != "full":
        return InvalidInput(
            f"{name} has no recorded data {when}: it records '{endpoint.record}'"
            + (f", and {rows.bare} requests were recorded without inputs and outputs" if rows.bare else ""),
            f"'nbdeploy traffic {name} --record full' stores them from then on",
        )
    return InvalidInput(
        f"no request to {name} was answered and recorded {when}",
        "choose an earlier start, such as --since 7d, or wait for requests",
    )
