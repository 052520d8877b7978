"""Validation notebooks run against a snapshot and judged, for ``validate``, ``deploy``, ``traffic`` and ``promote``."""

from __future__ import annotations

import contextlib
import getpass
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import DeployError, StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.validation.validation import Validation, worst

from .interrupts import heard_once
from .run_plan import Planned
from .validation_runs import How, Runs, Subject, served

_HISTORY = 50


def run_all(planned: Sequence[Planned], subject: Subject, how: How, ports: Ports, report: Report) -> Validation:
    """Run what is planned, judge it, store the validation and write its report.

    What fails, a snapshot that cannot be served too, is in what is returned. Ctrl-C and a polite kill are raised, after
    what had ended was stored.
    """
    validation, stopped = run(planned, subject, how, ports, report)
    if stopped is not None:
        raise stopped
    return validation


@heard_once()
def run(
    planned: Sequence[Planned], subject: Subject, how: How, ports: Ports, report: Report
) -> tuple[Validation, BaseException | None]:
    """As ``run_all``; what ended it before its time is returned beside the validation."""
    began, at = time.monotonic(), now()
    # Named by its moment, so that folders sort; at random beside, since two may begin at once.
    name = f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    folder = ports.reports.folder(name)
    runs = Runs(planned, subject, how, ports, report, folder=how.executed or folder)
    with contextlib.ExitStack() as last:
        last.callback(ports.validations.close)
        if not how.cold:
            ports.validations.expect((one.notebook, how.cwd) for one in planned)
        with served(planned, subject, ports) as sides:
            done, stopped = runs.all(sides)
    found = (*how.runs, *done)
    validation = Validation(
        id=name,
        at=at,
        by=getpass.getuser(),
        trigger=how.trigger,
        snapshot=subject.snapshot.tag if subject.snapshot else None,
        endpoint=subject.endpoint,
        stable=subject.stable.tag if subject.stable else None,
        runs=found,
        live=tuple(how.live),
        seconds=time.monotonic() - began,
        notes=(*how.notes, *_notes(planned, subject)),
        stopped=None if stopped is None else "interrupted" if isinstance(stopped, KeyboardInterrupt) else "terminated",
        verdict=worst((*(run.verdict for run in found), *(gate.verdict for gate in how.live))),
    )
    return _kept(validation, folder, ports), stopped


def _kept(validation: Validation, folder: Path, ports: Ports) -> Validation:
    """Stored first: whatever befalls its page, it is not lost; what cannot be stored is still told."""
    try:
        ports.store.keep_validation(validation)
        history = ports.store.validations(endpoint=validation.endpoint, limit=_HISTORY)
    except StoreError as error:
        validation, history = validation.unreported_since(f"it is not stored: {error.message}"), []
    try:
        page = ports.reports.html(validation, history, folder)
        validation = validation.model_copy(update={"report": str(page)})
        ports.store.keep_validation(validation)
        ports.reports.clear(referred_to(ports))
    except Exception as error:  # noqa: BLE001 - an hour of notebooks must not be lost by what only tells of it
        validation = validation.unreported_since(in_words(error))
    return validation


def referred_to(ports: Ports) -> set[str]:
    """The validations whose files have to stay: those of releases, and those that a release was forced against.

    What was used again of an earlier validation lies in that one's folder, which stays too.
    """
    endpoints = ports.store.endpoints()
    now_ = [found.validation for endpoint in endpoints for found in endpoint.releases]
    revisions = [revision.state for endpoint in endpoints for revision in ports.store.history(endpoint.name)]
    once = [found.validation for state in revisions for found in state.releases]
    forced = [found for found in once if found and found.forced is not None and found.verdict != "pass"]
    names = {found.id for found in (*now_, *forced) if found}
    runs = [run for validation in ports.store.validations(ids=names) for run in validation.runs]
    files = [file for run in runs for file in (run.executed, run.executed_stable) if file]
    return names | {Path(file).parent.name for file in files}


def in_words(error: Exception) -> str:
    """What went wrong beside a result, in a line: with its kind where it is a bug."""
    return error.message if isinstance(error, DeployError) else f"{type(error).__name__}: {error}"


def _notes(planned: Sequence[Planned], subject: Subject) -> list[str]:
    if not any(one.needs_stable for one in planned):
        return []
    if subject.is_stable:
        return ["this is the stable release itself: gates on stable compare it with itself"]
    if subject.stable is None:
        return ["there is no stable release: gates on stable have nothing to compare with"]
    return []
