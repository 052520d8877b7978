"""The verbs ``plan`` and ``apply``: endpoints become as documents say, by changes of other verbs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.scoring import ScheduledScoring, require_pyarrow, scheduled_scorings
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.document import (
    DocumentChange,
    EndpointDocument,
    SetValidations,
    changes_to,
    with_stored_secrets,
)
from jupyter_deploy.domain.release.document_requests import (
    ApplyRequest,
    DocumentsRequest,
    EndpointPlan,
    PlannedChange,
    PlanRequest,
    with_absolute_paths,
)
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.requests import (
    DeployRequest,
    LabelRequest,
    PromoteRequest,
    Request,
    Step,
    StopRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.stream.requests import StreamRequest

from .build import release_of
from .capture import load_snapshot
from .change import find, require_revision, require_signature, target_of
from .command_line import retyped
from .deploy import deploy
from .deploy_plan import plan_deploy, resources_for
from .gates.endpoint_gates import GateSource, gates_of_document
from .label import label
from .release_secrets import references_for, require_readable_by_schedule
from .scoring.batch import batch, require_schedule, wanted_schedule
from .scoring.stream import require_stream, stream
from .stop import stop
from .traffic import promote, traffic


def plan(request: PlanRequest, ports: Ports, report: Report) -> list[EndpointPlan]:
    """Compute the changes that lead to the documents of a file, and check that they can be made."""
    documents = _documents(request, ports)
    plans = []
    started: defaultdict[str, list[Release]] = defaultdict(list)
    scheduled: defaultdict[str, dict[str, Sequence[ScheduledScoring]]] = defaultdict(dict)
    for number, document in enumerate(documents, 1):
        report(Step(number=number, total=len(documents), title=f"planning {document.name}"))
        before, _, changes = _planned(document, request, ports, reason="")
        plans.append(_plan_of(document, before, changes))
        if changes and document.running:
            releases = _releases_of(document, before, changes, ports)
            started[document.target] += releases
            if (spec := _batches_of(before, changes)) or (before and before.batch):
                after = _scheduled(document, before, releases, spec)
                scheduled[document.target][document.name] = scheduled_scorings(after)
    objects: dict[str, Sequence[ObjectChange]] = {}
    for target, releases in started.items():
        objects |= ports.manifester.differences(target, releases, scheduled[target])
    return [one.model_copy(update={"objects": tuple(objects.get(one.endpoint, ()))}) for one in plans]


def apply(request: ApplyRequest, ports: Ports, report: Report) -> list[EndpointPlan]:
    """Make the changes that lead to the documents of a file.

    All documents are checked before the first change.

    Raises
    ------
    Conflict
        The endpoint is not at ``if_revision``.
    DeployError
        A change failed. Those before it are made; a second ``apply`` continues with the rest.
    """
    documents = _documents(request, ports)
    reason = request.reason or ("apply a document" if request.document else f"apply {request.subject}")
    if request.if_revision is not None:
        _require_one_at(request.if_revision, documents, ports)
    planned = [(document, *_planned(document, request, ports, reason)) for document in documents]
    if request.force and not request.reason.strip():
        raise InvalidInput("--force needs --reason; the reason is stored", 'add one: --reason "…"')
    total = sum(len(changes) for *_, changes in planned)
    done, results = 0, []
    for document, before, gates, changes in planned:
        for change in changes:
            done += 1
            report(Step(number=done, total=total, title=f"{document.name}: {change.words}"))
            based = _at_revision(change, request.if_revision) if done == 1 else change
            _make(based, gates, ports, report, force=request.force)
        after = ports.store.endpoint(document.name) or before
        url = target_of(ports, after.target).observe(after).url if after is not None and after.running else None
        results.append(_plan_of(document, after, changes).model_copy(update={"applied": True, "url": url}))
    return results


def _documents(request: DocumentsRequest, ports: Ports) -> list[EndpointDocument]:
    """Return the documents of a request. Raises InvalidInput: it has none, or two kinds; or as ``Documents.read``."""
    if (request.file is None) == (request.document is None):
        missing = "a file is missing" if request.file is None else "a file and a document are given"
        raise InvalidInput(missing, "name one YAML file, as 'nbdeploy describe NAME -o yaml' writes it")
    if request.document is not None:
        return [with_absolute_paths(request.document, Path.cwd())]
    return ports.documents.read(request.file or "")


def _require_one_at(revision: int, documents: Sequence[EndpointDocument], ports: Ports) -> None:
    """Raise Conflict unless the one endpoint of the documents is at this revision."""
    if len(documents) > 1:
        raise InvalidInput(
            f"--if-revision is the revision of one endpoint, and the file has {len(documents)}",
            "leave it out, or apply the document of one endpoint",
        )
    require_revision(find(ports, documents[0].name), revision)


def _at_revision(change: DocumentChange, revision: int | None) -> DocumentChange:
    """Return the change with the revision that it is based on, if its request has such a field."""
    if "if_revision" not in type(change.request).model_fields:
        return change
    return change._replace(request=change.request.model_copy(update={"if_revision": revision}))


def _planned(
    document: EndpointDocument, of: DocumentsRequest, ports: Ports, reason: str
) -> tuple[Endpoint | None, GateSource | None, tuple[DocumentChange, ...]]:
    """Return the endpoint as it is, the document's gates, and the changes; refuse what cannot succeed."""
    target_of(ports, document.target)
    before = ports.store.endpoint(document.name)
    gates = None
    if document.validations is not None:
        stored = with_stored_secrets(document.validations, before.validations if before else ())
        gates = gates_of_document(stored, str(Path(of.file).absolute()) if of.file else "", ports)
        document = document.model_copy(update={"validations": gates.specs})
    changes = changes_to(document, before, reason=reason, trust=of.trust)
    first = changes[0].request if changes else None
    ends = isinstance(first, BatchRequest) and first.stop
    planned = before.model_copy(update={"batch": None}) if before and ends else before
    secrets: dict[str, Mapping[str, str]] = (
        {release.tag: release.secrets for release in before.releases} if before else {}
    )
    for request, _ in changes:
        if isinstance(request, DeployRequest):
            secrets[request.source or ""] = _secrets_of(request, document, planned, gates, ports)
        if isinstance(request, StreamRequest):
            require_stream(request, document.target, ports)
        if isinstance(request, BatchRequest):
            require_schedule(request, document.target, ports)
    if document.running:
        _require_schedulable(document, planned, changes, secrets)
    return before, gates, changes


def _require_schedulable(
    document: EndpointDocument,
    before: Endpoint | None,
    changes: Sequence[DocumentChange],
    secrets: Mapping[str, Mapping[str, str]],
) -> None:
    """Refuse a schedule of batches, present or to come, whose runs could not read ``secrets`` of the releases."""
    batches = _batches_of(before, changes)
    if batches is None:
        return
    stable = _stable_of(document, before)
    for tag in (stable, *(_shadows_of(document, before) if batches.role == "shadow" else ())):
        require_readable_by_schedule(document.name, tag, secrets[tag])


def _batches_of(before: Endpoint | None, changes: Sequence[DocumentChange]) -> BatchSpec | None:
    """Return the schedule of batches after the changes."""
    batches = before.batch if before else None
    for request, _ in changes:
        if isinstance(request, BatchRequest):
            batches = None if request.stop else wanted_schedule(request)
    return batches


def _scheduled(
    document: EndpointDocument, before: Endpoint | None, releases: Sequence[Release], batches: BatchSpec | None
) -> Endpoint:
    """Return the endpoint after the changes, as far as its runs by schedule depend on it."""
    known = before or Endpoint.first(releases[0], document.target)
    traffic = Traffic(stable=_stable_of(document, before), shadows=_shadows_of(document, before))
    after = known.model_copy(update={"releases": tuple(releases), "traffic": traffic, "batch": batches})
    return after.recording(document.record, document.record_sample)


def _scoring(document: EndpointDocument, before: Endpoint | None) -> tuple[str, ...]:
    """Return the tags of the releases that score files by the document's schedule."""
    batches = document.serve.batch if document.serve and document.running else None
    if batches is None:
        return ()
    return _stable_of(document, before), *(_shadows_of(document, before) if batches.role == "shadow" else ())


def _shadows_of(document: EndpointDocument, before: Endpoint | None) -> dict[str, float]:
    """Return the shadows after the changes; without traffic in the document, a new release becomes one."""
    if document.traffic:
        return document.traffic.shadow
    known = {one.tag for one in before.releases} if before else {document.first}
    new = {one.tag: 100.0 for one in document.releases if one.tag not in known}
    return {**(before.traffic.shadows if before else {}), **new}


def _stable_of(document: EndpointDocument, before: Endpoint | None) -> str:
    """Return the tag of the release that is stable after the changes."""
    return document.traffic.stable if document.traffic else before.traffic.stable if before else document.first


def _releases_of(
    document: EndpointDocument, before: Endpoint | None, changes: Sequence[DocumentChange], ports: Ports
) -> list[Release]:
    """Return the releases that the changes start, as a target knows them; a new one is not built yet."""
    known = {release.tag: release for release in before.releases} if before else {}
    deployed = {request.source: request for request, _ in changes if isinstance(request, DeployRequest)}
    found, current = [], before
    # In the order of the changes: a new release has the resources that stable has by then.
    for wanted in sorted(document.releases, key=lambda one: before is None and one.tag != document.first):
        release = known.get(wanted.tag) or Release(
            endpoint=document.name,
            tag=wanted.tag,
            digest="",
            path="",
            snapshot_path="",
            interpreter="",
            source=Source(),
            redact=wanted.redact or (),
            created_at=now(),
        )
        if request := deployed.get(wanted.tag):
            changed = {"resources": resources_for(request, current, ports), "image": request.image or release.image}
            release = release.model_copy(update=changed)
        others = [one for one in current.releases if one.tag != release.tag] if current else []
        current = (current or Endpoint.first(release)).model_copy(update={"releases": (release, *others)})
        found.append(release)
    return found


def _secrets_of(
    request: DeployRequest,
    document: EndpointDocument,
    before: Endpoint | None,
    gates: GateSource | None,
    ports: Ports,
) -> Mapping[str, str]:
    """Return a release's references to secrets.

    Refuse a release that the store lacks, that the target cannot run, or whose signature clients would notice.
    """
    if request.image is not None:
        return references_for(request, before, ports)
    tag = request.source or ""
    known = ports.store.remembered(tag)
    # A plan changes nothing, so it does not store that the snapshot is trusted.
    snapshot = (
        ports.capturer.load(tag) if request.trust and known is None else load_snapshot(tag, trust=False, ports=ports)
    )
    if snapshot.tag != tag:
        raise InvalidInput(f"'{tag}' is the beginning of a tag", f"write the whole tag: {snapshot.tag}")
    target_of(ports, document.target).check(resources_for(request, before, ports), None)
    if document.target == "kubernetes" and tag in _scoring(document, before):
        require_pyarrow(release_of(snapshot, document.name, Resources()))
    if before is not None:
        require_signature(ports, before, snapshot.tag, snapshot.manifest.signature)
    if before is not None or tag == document.first:
        return plan_deploy(request, document.name, before, snapshot, ports, gates=gates).release.secrets
    return references_for(request, before, ports, snapshot)


def _make(change: DocumentChange, gates: GateSource | None, ports: Ports, report: Report, *, force: bool) -> None:
    """Make one change by its verb."""
    request = change.request
    if force and "force" in type(request).model_fields:
        request = request.model_copy(update={"force": True})
    match request:
        case DeployRequest():
            deploy(request, ports, report, gates=gates)
        case TrafficRequest():
            traffic(request, ports, report)
        case PromoteRequest():
            promote(request, ports, report)
        case LabelRequest():
            label(request, ports, report)
        case StopRequest():
            stop(request, ports, report)
        case StreamRequest():
            stream(request, ports, report)
        case BatchRequest():
            batch(request, ports, report)
        case SetValidations():
            _set_validations(request, change.words, gates.file if gates else "", ports)


def _set_validations(request: SetValidations, words: str, file: str, ports: Ports) -> None:
    """Replace an endpoint's validations; its processes and the traffic stay as they are."""
    with ports.store.exclusive(request.name):
        before = find(ports, request.name)
        after = before.model_copy(update={"revision": before.revision + 1, "restored": None})
        after = after.validating(request.validations, file)
        ports.store.save(after, based_on=before.revision, reason=request.reason, change=words)
        if after.running:
            target_of(ports, after.target).route(after)


def _plan_of(document: EndpointDocument, endpoint: Endpoint | None, changes: Sequence[DocumentChange]) -> EndpointPlan:
    planned = tuple(PlannedChange(change=words, command=_command(request)) for request, words in changes)
    return EndpointPlan(endpoint=document.name, revision=endpoint.revision if endpoint else 0, changes=planned)


def _command(request: Request) -> str:
    """Return the command that makes a change alone; empty: there is none."""
    match request:
        case DeployRequest():
            head: tuple[str, ...] = ("deploy", request.source or "")
            leave_out: tuple[str, ...] = ("source", "reason")
        case TrafficRequest():
            head, leave_out = ("traffic", request.name), ("name", "reason")
        case PromoteRequest():
            head, leave_out = ("promote", request.name, request.tag or ""), ("name", "tag", "reason")
        case LabelRequest():
            head, leave_out = ("label", request.name, request.release, request.label), (
                "name", "release", "label", "reason",
            )  # fmt: skip
        case StreamRequest():
            head, leave_out = ("stream", request.name), ("name", "reason")
        case BatchRequest():
            head, leave_out = ("batch", request.name), ("name", "reason")
        case StopRequest():
            head, leave_out = ("stop", request.name), ("name", "reason")
        case _:
            return ""
    return retyped(request, "nbdeploy", *head, leave_out=leave_out)[0]
