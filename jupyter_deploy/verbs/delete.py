"""The verb ``delete``: an endpoint goes, with its history, validations and records."""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.deletion import Deleted, DeleteRequest, Deletion
from jupyter_deploy.domain.errors import StoreError, Unconfirmed
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.results import Purged

from .change import find, require_revision, stop_unwanted, target_of, uninterrupted
from .snapshot_use import unused_snapshots

_STEPS = ("stopping its releases", "deleting its history", "deleting its records")


def delete(request: DeleteRequest, ports: Ports, report: Report) -> Deleted:
    """Delete an endpoint permanently; complete a deletion that was killed.

    The store forgets the endpoint in one transaction, which notes the parts on disk. Whatever kills the process, the
    next call deletes the noted parts.

    Raises
    ------
    Unconfirmed
        The request is neither confirmed nor a dry run.
    Conflict
        The endpoint is not at ``if_revision``, or another process deploys to it.
    """
    name = request.name
    contents = describe_contents(request, ports)
    if request.dry_run:
        return contents
    if not request.yes:
        raise Unconfirmed(
            f"{name} would be deleted permanently: {contents.content}",
            f"'nbdeploy delete {name} --dry-run' shows more; with --yes (in Python yes=True) it is deleted",
        )
    with ports.store.exclusive(name):
        noted = ports.store.deletion(name)
        before = ports.store.endpoint(name)
        if before is not None:
            require_revision(before, request.if_revision)
            _report(report, name, 1)
            _stop(before, request, ports)
            _report(report, name, 2)
            noted = ports.store.delete(before, reason=request.reason, keep_records=request.keep_records)
        noted = noted or _of_records(request, ports)
        _report(report, name, 3)
        _complete(noted.model_copy(update={"keep_records": request.keep_records}), ports)
    return contents.model_copy(update={"dry_run": False, "snapshots": tuple(unused_snapshots(ports, noted.snapshots))})


def describe_contents(request: DeleteRequest, ports: Ports) -> Deleted:
    """Describe the parts of an endpoint, or those that an earlier deletion left.

    Raises
    ------
    UnknownEndpoint
        There is no such endpoint, and nothing is left of one.
    Conflict
        The endpoint is not at ``if_revision``.
    """
    name = request.name
    noted = ports.store.deletion(name)
    endpoint = ports.store.endpoint(name)
    size = ports.log.size(name)
    left = size or (noted and (noted.keep_records or not noted.complete))
    if endpoint is None and not left:
        find(ports, name)
    if endpoint is not None:
        require_revision(endpoint, request.if_revision)
        noted = ports.store.deletion_of(endpoint)
    noted = noted or _of_records(request, ports)
    if noted.complete:  # of a former endpoint: only its records are left
        noted = noted.model_copy(update={"validations": (), "revisions": 0, "snapshots": ()})
    counts = None if request.keep_records else _counts(name, ports)
    return Deleted(
        endpoint=name,
        releases=[release.tag for release in endpoint.releases] if endpoint else [],
        revisions=noted.revisions,
        validations=len(noted.validations),
        records=counts and counts.records,
        feedback=counts and counts.feedback,
        ledger_lines=counts and counts.ledger_lines,
        bytes=ports.reports.size(noted.validations) + (0 if request.keep_records else size),
        kept_records=request.keep_records,
        snapshots=tuple(unused_snapshots(ports, noted.snapshots, without=name)),
        published=tuple(one.reference for one in ports.store.publications(endpoint=name)),
        dry_run=True,
    )


def _counts(name: str, ports: Ports) -> Purged | None:
    with contextlib.suppress(StoreError):  # damaged records can be deleted too
        return ports.log.purge(name, before=None, request_ids=(), dry_run=True)
    return None


def _stop(before: Endpoint, request: DeleteRequest, ports: Ports) -> None:
    after = before.stopped() if before.running else before
    with uninterrupted():
        if before.running:
            ports.store.save(after, based_on=before.revision, reason=request.reason, change="stopped, to be deleted")
        target_of(ports, before.target).route(after)
    stop_unwanted(ports, before.name, before.releases)


def _complete(noted: Deletion, ports: Ports) -> None:
    """Delete the noted parts; every step may be repeated."""
    for name, target in ports.targets.items():
        if target.shared is None or name == noted.target:  # another user's endpoint may have the name there
            target.forget(noted.endpoint, noted.tags)
    if not noted.keep_records:
        ports.log.delete(noted.endpoint)
    ports.reports.remove(noted.validations)
    ports.store.keep_deletion(noted.model_copy(update={"complete": True, "validations": ()}))


def _of_records(request: DeleteRequest, ports: Ports) -> Deletion:
    """Return the note of an endpoint of which only records are left."""
    target = "local" if "local" in ports.targets else next(iter(ports.targets))
    return Deletion(endpoint=request.name, target=target, at=now(), by="", reason=request.reason)


def _report(report: Report, name: str, number: int) -> None:
    report(Step(number=number, total=len(_STEPS), title=f"{name}: {_STEPS[number - 1]}"))
