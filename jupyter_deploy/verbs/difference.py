"""What changed from one snapshot to another: ``diff``, and in short what each release has that stable had not."""

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
from jupyter_deploy.domain.errors import DeployError, InvalidInput, NoCandidate, ReplayFailed, UnknownRelease
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Changes, Endpoint
from jupyter_deploy.domain.requests import DiffRequest, Step

from .capture import as_tag
from .change import find


def diff(request: DiffRequest, ports: Ports, report: Report) -> Difference:
    """Compare two snapshots.

    The answers are those that both snapshots hold to the instances that their examples have in common. Where there
    are none, B is asked A's example in a clean process, if this store captured it.

    Raises
    ------
    UnknownEndpoint, UnknownRelease, UnknownSource, NoCandidate, InvalidInput
        What is named is not there, or is not enough to know what to compare with.
    """
    first, second = _tags(request, ports)
    a, b = _snapshot(first, ports), _snapshot(second, ports)
    sources = (ports.capturer.sources(a), ports.capturer.sources(b))
    return difference(a, b, cells=_cells(a, b, ports), sources=sources, answers=_answers(a, b, ports, report))


def changes_since(before: Endpoint, snapshot: Snapshot, ports: Ports) -> Changes | None:
    """What is other in a new release than in the endpoint's stable one; of a release that it has, what is known."""
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
        raise InvalidInput(f"no predecessor of {tag} is known", "name what it is to be compared with: diff A B")
    return changes.predecessor, tag


def exact_tag(given: str, ports: Ports) -> str:
    """The exact tag that is meant by an endpoint's name (its stable release) or the beginning of a version."""
    if ":" not in given:
        return find(ports, given).traffic.stable
    tags = {release.tag for endpoint in ports.store.endpoints() for release in endpoint.releases}
    if given in tags:
        return given
    found = sorted(tag for tag in tags if tag.startswith(given) and not given.endswith(":"))
    if len(found) > 1:
        raise UnknownRelease(f"'{given}' could mean several releases", f"name one of: {', '.join(found)}")
    return found[0] if found else as_tag(given)


def _snapshot(tag: str, ports: Ports) -> Snapshot:
    """As this store remembers it, where it lies now; else from the model store, its digests verified."""
    known = ports.store.remembered(tag)
    if known is None:
        return ports.capturer.load(tag)
    if Path(known.path).is_dir():
        return known
    try:
        moved = ports.capturer.load(tag)
    except DeployError:  # it was removed; what is remembered can be compared all the same
        return known
    return known.model_copy(update={"path": moved.path}) if moved.digest == known.digest else known


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
    report(Step(number=1, total=1, title=f"asking {b.tag} the example of {a.tag} in a clean process"))
    try:
        answers = ports.capturer.predict(b, a.manifest.instances)
    except ReplayFailed as error:
        return Answers(problem=f"{common.problem}, and {b.tag} does not answer those of {a.tag}: {error.message}")
    given = zip(a.manifest.instances, a.manifest.predictions, answers, strict=True)
    return compare_answers(given, a.manifest, basis=f"the example of {a.tag}, asked of {b.tag} in a clean process")
