"""The verb ``label``: a person's name for a release."""

from __future__ import annotations

from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import LabelRequest, Step
from jupyter_deploy.domain.results import Labelled

from .change import find, require_revision, target_of


def label(request: LabelRequest, ports: Ports, report: Report) -> Labelled:
    """Set or remove the label of a release; its processes and the traffic stay as they are."""
    with ports.store.exclusive(find(ports, request.name).name):
        before = find(ports, request.name)
        require_revision(before, request.if_revision)
        release = before.release(request.release)
        after = before.labelled(release.tag, request.label)
        named = after.release(release.tag).label
        report(Step(number=1, total=1, title=f"labelling {release.tag}"))
        if named != release.label:
            change = f"{release.tag} is called '{named}'" if named else f"{release.tag} has no label"
            ports.store.save(after, based_on=before.revision, reason=request.reason, change=change)
            if after.running:
                target_of(ports, after.target).route(after)
    return Labelled(endpoint=before.name, release=release.tag, label=named, before=release.label)
