"""The verb ``diff``: the changes from one snapshot to another; and the changes of a release since stable."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.difference import (
    Answers,
    Cells,
    Difference,
    common_answers,
    compare_answers,
    difference,
)
from jupyter_deploy.domain.capture.requests import DiffRequest
from jupyter_deploy.domain.errors import DeployError, InvalidInput, NoCandidate, ReplayFailed, UnknownRelease
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Changes, Endpoint
from jupyter_deploy.domain.requests import Step

from .capture import as_tag
from .change import find
from .release_secrets import with_references


def diff(request: DiffRequest, ports: Ports, report: Report) -> Difference:
    """Compare two snapshots.

    The compared answers are those of both snapshots to the common instances of their examples. If there are none, B
    gets A's example in a clean process, provided that this store captured B.

    Raises
    ------
    UnknownEndpoint, UnknownRelease, UnknownSource, NoCandidate, InvalidInput
        A named snapshot does not exist, or the request does not determine two snapshots.
    """
    first, second = _tags(request, ports)
    a, b = _snapshot(first, ports), _snapshot(second, ports)
    sources = (ports.capturer.sources(a), ports.capturer.sources(b))
    return difference(a, b, cells=_cells(a, b, ports), sources=sources, answers=_answers(a, b, ports, report))


def changes_since(before: Endpoint, snapshot: Snapshot, ports: Ports) -> Changes | None:
    """Return the changes of a new release since the endpoint's stable one; of an existing release, the stored ones."""
    known = next((release for release in before.releases if release.tag == snapshot.tag), None)
    if known is not None:
        return known.changes
    stable = ports.store.remembered(before.traffic.stable)
    if stable is None:
        return None
    return Changes(
        predecessor=stable.tag, words=difference(stable, snapshot, cells=_cells(stable, snapshot, ports)).words
    )


def _cells(a: Snapshot, b: Snapshot, ports: Ports) -> Cells:
    return ports.capturer.cells_behind(a), ports.capturer.cells_behind(b)


def _tags(request: DiffRequest, ports: Ports) -> tuple[str, str]:
    if request.b is not None:
        first = exact_tag(request.a, ports)
        named = ":" in request.b or ports.store.endpoint(request.b) is not None
        return first, exact_tag(request.b if named else f"{first.partition(':')[0]}:{request.b}", ports)
    if ":" not in request.a:
        endpoint = find(ports, request.a)
        if endpoint.candidates():
            return endpoint.traffic.stable, endpoint.candidate()
        tag = endpoint.traffic.stable
    else:
        tag = exact_tag(request.a, ports)
    changes = next((r.changes for e in ports.store.endpoints() for r in e.releases if r.tag == tag and r.changes), None)
    if changes is None:
        if ":" not in request.a:
            raise NoCandidate(
                f"{request.a} has no candidate, and nothing was stable before {tag}", "name two tags: diff A B"
            )
        raise InvalidInput(f"no predecessor of {tag} is known", "name the other one: diff A B")
    return changes.predecessor, tag


def exact_tag(name: str, ports: Ports) -> str:
    """Return the exact tag of an endpoint's name (its stable release) or of the beginning of a version."""
    if ":" not in name:
        return find(ports, name).traffic.stable
    tags = {release.tag for endpoint in ports.store.endpoints() for release in endpoint.releases}
    if name in tags:
        return name
    matches = sorted(tag for tag in tags if tag.startswith(name) and not name.endswith(":"))
    if len(matches) > 1:
        raise UnknownRelease(f"'{name}' could mean several releases", f"name one of: {', '.join(matches)}")
    return matches[0] if matches else as_tag(name)


def _snapshot(tag: str, ports: Ports) -> Snapshot:
    """Return the snapshot that this store remembers, at its present path; else that of the model store, verified."""
    known = ports.store.remembered(tag)
    if known is None:
        return ports.capturer.load(tag)
    if Path(known.path).is_dir():
        return known
    try:
        moved = ports.capturer.load(tag)
    except DeployError:  # it was removed, and the remembered manifest can still be compared
        return known
    return known.model_copy(update={"path": moved.path}) if moved.digest == known.digest else known


def _released(snapshot: Snapshot, ports: Ports) -> Snapshot:
    """Return the snapshot with the references to secrets of a release of it, where there is one."""
    releases = (release for endpoint in ports.store.endpoints() for release in endpoint.releases)
    release = next((release for release in releases if release.tag == snapshot.tag), None)
    return with_references(snapshot, release.secrets) if release else snapshot


def _answers(a: Snapshot, b: Snapshot, ports: Ports, report: Report) -> Answers:
    common = common_answers(a.manifest, b.manifest)
    if not common.problem:
        return common
    refused = [why for why in a.manifest.signature.mismatches(b.manifest.signature) if why.startswith("instance")]
    if refused:
        return Answers(problem=f"{common.problem}, and {b.tag} does not take those of {a.tag}")
    known = ports.store.remembered(b.tag)
    if known is None or known.digest != b.digest:
        return Answers(problem=f"{common.problem}, and {b.tag}, not captured by this store, is not run to be asked")
    report(Step(number=1, total=1, title=f"replaying the example of {a.tag} on {b.tag} in a clean process"))
    try:
        answers = ports.capturer.predict(_released(b, ports), a.manifest.instances)
    except ReplayFailed as error:
        return Answers(problem=f"{common.problem}, and {b.tag} does not answer those of {a.tag}: {error.message}")
    rows = zip(a.manifest.instances, a.manifest.predictions, answers, strict=True)
    return compare_answers(rows, a.manifest, basis=f"the example of {a.tag}, answered by {b.tag} in a clean process")
