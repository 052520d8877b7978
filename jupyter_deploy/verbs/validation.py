"""Runs and judges validation notebooks for ``validate``, ``deploy``, ``traffic`` and ``promote``."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_deploy.domain.base import now, user_name
from jupyter_deploy.domain.errors import DeployError, StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.validation.subgroups import subgroup_notes
from jupyter_deploy.domain.validation.validation import Validation, worst

from .interrupts import heard_once
from .run_plan import Planned
from .validation_runs import Candidate, RunOptions, Runs, served

_HISTORY = 50


def run_all(
    planned: Sequence[Planned], candidate: Candidate, options: RunOptions, ports: Ports, report: Report
) -> Validation:
    """Run the planned notebooks, judge them, store the validation and write its report.

    Failures are in the result, a snapshot that cannot be served too. Ctrl-C and SIGTERM are raised after the finished
    runs were stored.
    """
    validation, stopped = run(planned, candidate, options, ports, report)
    if stopped is not None:
        raise stopped
    return validation


@heard_once()
def run(
    planned: Sequence[Planned], candidate: Candidate, options: RunOptions, ports: Ports, report: Report
) -> tuple[Validation, BaseException | None]:
    """As ``run_all``, but return the interrupt with the validation."""
    began, at = time.monotonic(), now()
    # The time sorts the folders; the random part keeps two that start at once apart.
    name = f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    folder = ports.reports.folder(name)
    runs = Runs(planned, candidate, options, ports, report, folder=options.executed or folder)
    with contextlib.ExitStack() as last:
        last.callback(ports.validations.close)
        if not options.cold:
            ports.validations.expect((one.notebook, options.cwd) for one in planned)
        with served(planned, candidate, ports) as servers:
            done, stopped = runs.all(servers)
    all_runs = (*options.runs, *done)
    validation = Validation(
        id=name,
        at=at,
        by=user_name(),
        trigger=options.trigger,
        snapshot=candidate.snapshot.tag if candidate.snapshot else None,
        endpoint=candidate.endpoint,
        stable=candidate.stable.tag if candidate.stable else None,
        runs=all_runs,
        live=tuple(options.live),
        seconds=time.monotonic() - began,
        notes=(*options.notes, *_notes(planned, candidate, options, ports), *subgroup_notes(all_runs)),
        stopped=None if stopped is None else "interrupted" if isinstance(stopped, KeyboardInterrupt) else "terminated",
        verdict=worst((*(run.verdict for run in all_runs), *(gate.verdict for gate in options.live))),
    )
    return _kept(validation, folder, ports), stopped


def _kept(validation: Validation, folder: Path, ports: Ports) -> Validation:
    """Store the validation, then write its page, so that a failed page loses nothing."""
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
    except Exception as error:  # noqa: BLE001 - a failed report must not lose an hour of notebooks
        validation = validation.unreported_since(in_words(error))
    return validation


def referred_to(ports: Ports) -> set[str]:
    """The validations whose files are kept: those of releases, and those that ``--force`` overruled.

    A result that was used again lies in the folder of its first validation, which is kept too.
    """
    endpoints = ports.store.endpoints()
    current = [release.validation for endpoint in endpoints for release in endpoint.releases]
    revisions = [revision.state for endpoint in endpoints for revision in ports.store.history(endpoint.name)]
    former = [release.validation for state in revisions for release in state.releases]
    forced = [one for one in former if one and one.forced is not None and one.verdict != "pass"]
    names = {validated.id for validated in (*current, *forced) if validated}
    runs = [run for validation in ports.store.validations(ids=names) for run in validation.runs]
    files = [file for run in runs for file in (run.executed, run.executed_stable) if file]
    return names | {Path(file).parent.name for file in files}


def in_words(error: Exception) -> str:
    """Describe an error in one line, next to a result; a bug has its type in front."""
    return error.message if isinstance(error, DeployError) else f"{type(error).__name__}: {error}"


def _notes(planned: Sequence[Planned], candidate: Candidate, options: RunOptions, ports: Ports) -> list[str]:
    counted = _notes_on_attempts(planned, candidate, ports) if options.counts_attempts else []
    return [*_notes_on_stable(planned, candidate), *counted]


def _notes_on_attempts(planned: Sequence[Planned], candidate: Candidate, ports: Ports) -> list[str]:
    """Say that the count of attempts begins here, so that a deleted home does not reset it unnoticed."""
    if candidate.snapshot is None or not any(one.gates for one in planned):
        return []
    with contextlib.suppress(StoreError):
        if not ports.store.validations(limit=1):
            return ["this store has no earlier validation: attempts at gates are counted from this one on"]
    return []


def _notes_on_stable(planned: Sequence[Planned], candidate: Candidate) -> list[str]:
    if not any(one.needs_stable for one in planned):
        return []
    if candidate.is_stable:
        return ["this is the stable release itself: gates on stable compare it with itself"]
    if candidate.stable is None:
        return ["there is no stable release: gates on stable have nothing to compare with"]
    return []
