"""An endpoint as panels show it: a card for each release, what it counts, its history. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath

from jupyter_deploy.domain.capture.findings import counted, finding_text
from jupyter_deploy.domain.images.images import Publication
from jupyter_deploy.domain.ramp.status import RampStatus
from jupyter_deploy.domain.release.endpoint import Endpoint, Release, Revision
from jupyter_deploy.domain.release.serve_document import ServeDocument
from jupyter_deploy.domain.release.status import EndpointStatus, ReleaseStatus, Usage
from jupyter_deploy.faces.render.difference_page import changed
from jupyter_deploy.faces.render.endpoint_page import state_in_words

from .documents import (
    Counted,
    EndpointView,
    GatesCard,
    Models,
    RampView,
    ReleaseCard,
    RevisionRow,
    UsageCard,
    WayCard,
)

SHOWN_REVISIONS = 20

_ORDER = {"stable": 0, "canary": 1, "shadow": 2, "idle": 3}


def endpoint_view(
    endpoint: Endpoint,
    status: EndpointStatus,
    rates: Mapping[str, Sequence[float]],
    history: Sequence[Revision],
    keep_revisions: int,
    *,
    publications: Sequence[Publication],
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    recorded: Mapping[tuple[str, bool], int] | None = None,
    usage: Mapping[str, Usage] | None = None,
    processors: Mapping[str, float | None] | None = None,
) -> EndpointView:
    """An endpoint with a card for each release that has traffic or is kept warm.

    ``status`` may be of a look before or after: what runs is looked at less often than the store.
    ``publications`` are the endpoint's, newest first; ``metrics`` are the notebooks' own, by the release's tag.
    ``recorded``: recorded requests by the tag and whether they are a shadow's copies. ``usage`` is that of the running
    releases, ``processors`` the processors in use.
    """
    warm = {release.tag for release in endpoint.releases_to_run(keep_revisions)} | set(endpoint.traffic.tags())
    shown = [release for release in endpoint.releases if release.tag in warm]
    shown.sort(key=lambda release: (_ORDER[endpoint.traffic.role_of(release.tag)], release.created_at))
    found = {release.tag: release for release in status.releases}
    published = _published(publications)
    return EndpointView(
        name=endpoint.name,
        target=endpoint.target,
        url=address(status),
        revision=endpoint.revision,
        previous=endpoint.previous_revision or None,
        running=endpoint.running,
        healthy=status.healthy,
        words=state_in_words(status),
        record=endpoint.recorded,
        tolerance=endpoint.comparison.tolerance,
        absolute_tolerance=endpoint.comparison.absolute_tolerance,
        segments=endpoint.comparison.segments,
        validations=tuple(spec.words for spec in endpoint.validations),
        cards=tuple(
            _card(
                endpoint,
                release,
                found.get(release.tag),
                rates.get(release.tag, ()),
                published=published.get(release.tag, ()),
                metrics=(metrics or {}).get(release.tag, {}),
                since=role_start(history, release.tag),
                recorded=(recorded or {}).get((release.tag, release.tag in endpoint.traffic.shadows)),
                usage=_usage(release, (usage or {}).get(release.tag), (processors or {}).get(release.tag)),
            )
            for release in shown
        ),
        history=revision_rows(history),
        serve=ServeDocument(batch=endpoint.batch, stream=endpoint.stream),
        ways=tuple(_ways(status)),
        ramp=_ramp(status.ramp, {release.tag for release in shown}),
    )


def _ways(status: EndpointStatus) -> Iterator[WayCard]:
    batch, stream = status.batch, status.stream
    if batch and batch.spec:
        yield WayCard(way="batch", words=batch.spec.words, state=batch.condition, healthy=batch.healthy)
    if stream and stream.spec:
        yield WayCard(way="stream", words=stream.spec.words, state=stream.condition, healthy=stream.healthy)


def _ramp(ramp: RampStatus | None, shown: set[str]) -> RampView | None:
    """A ramp in progress, or one that went back while its candidate is still shown."""
    if ramp is None or (ramp.ended and not (ramp.phase == "rolled back" and ramp.candidate in shown)):
        return None
    return RampView(
        candidate=ramp.candidate,
        words=ramp.words,
        paused=ramp.phase == "paused",
        ended=ramp.ended,
        evidence=ramp.evidence,
    )


def address(status: EndpointStatus) -> str:
    """What clients post to."""
    return f"{status.public_url or status.url}/predict"


def _published(publications: Sequence[Publication]) -> dict[str, tuple[str, ...]]:
    """Where each release was published, by its tag; a place that was published to again stands once."""
    found = dict[str, dict[str, None]]()
    for one in publications:
        found.setdefault(one.image.snapshot, {})[one.reference.partition("@")[0]] = None
    return {tag: tuple(places) for tag, places in found.items()}


def _card(
    endpoint: Endpoint,
    release: Release,
    found: ReleaseStatus | None,
    rates: Sequence[float],
    *,
    published: tuple[str, ...],
    metrics: Mapping[str, float],
    since: datetime | None,
    recorded: int | None,
    usage: UsageCard | None,
) -> ReleaseCard:
    source = release.source
    return ReleaseCard(
        tag=release.tag,
        label=release.label,
        role=endpoint.traffic.role_of(release.tag),
        percent=endpoint.traffic.percent_of(release.tag),
        healthy=found is not None and found.healthy,
        health=_health(found),
        variable=source.variable or "",
        notebook=PurePath(source.notebook).name if source.notebook else "",
        path=source.notebook or "",
        framework=release.framework,
        image=release.image or "",
        stochastic=release.stochastic,
        changes=_changes(release),
        gates=_gates(release),
        found=counted(release.findings),
        findings=tuple(finding_text(finding) for finding in release.findings if finding.severity != "note"),
        created=release.created_at,
        metrics=dict(metrics),
        published=published,
        counts=_counts(found, rates, since, recorded),
        usage=usage,
        limits=found.limits if found and usage is None else (),
    )


def _health(found: ReleaseStatus | None) -> str:
    if found is None:
        return "not checked yet"
    return found.health_words


def _usage(release: Release, usage: Usage | None, cpu: float | None) -> UsageCard | None:
    if usage is None:
        return None
    limits = release.resources
    return UsageCard(
        cpu=cpu,
        most_cpu=limits.cpu,
        memory=usage.memory,
        most_memory=limits.memory,
        workers=usage.workers if limits.pooled else 1,
        most_workers=str(limits.workers or 1),
        waiting=usage.waiting,
    )


def _counts(
    found: ReleaseStatus | None, rates: Sequence[float], since: datetime | None, recorded: int | None
) -> Counted | None:
    if found is None or found.counts is None:
        return None
    counts = found.counts
    starts = [start for start in (since, counts.since) if start]
    return Counted(
        requests=counts.requests,
        errors=counts.errors,
        refused=counts.refused,
        p50_ms=counts.p50_ms,
        rates=tuple(rates),
        since=max(starts, default=None),
        recorded=recorded,
    )


def role_start(history: Sequence[Revision], tag: str) -> datetime | None:
    """Return the time since which a release answers clients, or gets copies, without a break.

    The gateway's counts begin anew after each break. None: the revision is not among these, which are newest first.
    """
    start = None
    for revision in history:
        state = revision.state
        kind = state.traffic.role_of(tag) == "shadow" if state.running and tag in state.traffic.tags() else None
        if start is None:
            present = kind
        if kind is None or kind != present:
            return start
        start = revision.at
    return start if history and history[-1].revision == 1 else None


def _gates(release: Release) -> GatesCard | None:
    """What its validation found; None: it had none."""
    found = release.validation
    if found is None:
        return None
    return GatesCard(
        verdict=found.verdict,
        words=found.words,
        lines=tuple(line.sentence for line in found.lines),
        at=found.at,
        forced=found.forced is not None,
        report=found.report is not None,
    )


def _changes(release: Release) -> str:
    """What it has that its predecessor had not; empty when there was none."""
    if release.changes is None:
        return ""
    return f"since {release.changes.predecessor.partition(':')[2][:8]}: {changed(release.changes)}"


def revision_rows(revisions: Sequence[Revision]) -> tuple[RevisionRow, ...]:
    """The latest revisions, newest first. One more than are shown tells what the last of them brought."""
    shown = revisions[:SHOWN_REVISIONS]
    before: list[Revision | None] = [*revisions[1 : len(shown) + 1], None]
    return tuple(
        RevisionRow(
            revision=r.revision,
            at=r.at,
            by=r.by,
            what=r.change,
            reason=r.reason,
            diffs=_diffs(r, earlier),
            state=roles_of(r.state),
        )
        for r, earlier in zip(shown, before, strict=False)
    )


def roles_of(state: Endpoint) -> str:
    """Return the releases with traffic in words: ``stable 1a2b3c4d alone, 100 %``; a rollback restores these."""
    traffic = state.traffic
    named = {tag: _named(state, tag) for tag in traffic.tags()}
    if len(named) == 1:
        return f"stable {named[traffic.stable]} alone, 100 %"
    return ", ".join(f"{traffic.role_of(tag)} {name} {traffic.percent_of(tag):g} %" for tag, name in named.items())


def _named(state: Endpoint, tag: str) -> str:
    """The release's label, else its version, shortened as in JupyterLab."""
    label = next((release.label for release in state.releases if release.tag == tag), "")
    return label or tag.partition(":")[2][:8]


def _diffs(revision: Revision, before: Revision | None) -> tuple[Models, ...]:
    if before is None:
        return ()
    stable = before.state.traffic.stable
    known = {release.tag for release in before.state.releases}
    tags = [release.tag for release in revision.state.releases if release.tag not in known]
    tags.append(revision.state.traffic.stable)
    return tuple(Models(a=stable, b=tag) for tag in dict.fromkeys(tags) if tag != stable)
