"""The references to a release's secrets."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_deploy.domain.batch.scoring import require_pyarrow
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.secret_references import OFF, parse_reference


def references_for(
    request: DeployRequest, before: Endpoint | None, ports: Ports, snapshot: Snapshot | None = None
) -> dict[str, str]:
    """Return the references of a deploy's release, by variable.

    The deploy's own; else those of ``nbdeploy.yaml``; else those of the same release or else the stable one; else those
    with which the snapshot was captured.

    Raises
    ------
    InvalidInput
        The target cannot read one of them.
    """
    if OFF in request.secret:
        return {}
    named = request.secret or ports.secret_references
    references = dict(named or _known(before, snapshot.tag if snapshot else ""))
    if not references and snapshot is not None:
        references = dict(snapshot.manifest.provenance.secrets)
    for variable, text in references.items():
        _require_readable(variable, text, request.target)
    return references


def with_references(snapshot: Snapshot, references: Mapping[str, str]) -> Snapshot:
    """Return the snapshot with the references of its release, which its processes read in place of the capture's."""
    provenance = snapshot.manifest.provenance.model_copy(update={"secrets": dict(references)})
    return snapshot.model_copy(update={"manifest": snapshot.manifest.model_copy(update={"provenance": provenance})})


def require_schedulable(endpoint: Endpoint) -> None:
    """Raise InvalidInput if a run of the endpoint's batches by schedule could not read secrets, or files in a cluster.

    A run begins without a person, also after a reboot, so it has no variables of a shell. It is by stable, by a ramp's
    candidate once that is promoted, and with ``--role shadow`` by the shadows.
    """
    if endpoint.batch is None or not endpoint.running:
        return
    tags = [endpoint.traffic.stable]
    if endpoint.ramp is not None and not endpoint.ramp.ended:
        tags.append(endpoint.ramp.candidate)
    if endpoint.batch.role == "shadow":
        tags += endpoint.traffic.shadows
    for tag in tags:
        release = endpoint.release(tag)
        require_readable_by_schedule(endpoint.name, tag, release.secrets)
        if endpoint.target == "kubernetes":
            require_pyarrow(release)


def require_readable_by_schedule(name: str, tag: str, references: Mapping[str, str]) -> None:
    """Raise InvalidInput if one of a release's references is to a variable of the environment."""
    for variable, text in references.items():
        if parse_reference(text).kind == "env":
            raise InvalidInput(
                f"{tag} reads {variable} from {text}, which a batch by schedule of {name} does not have: it begins "
                "without your shell",
                f"name a place that outlasts it (--secret {variable}=keyring:NAME or {variable}=file:PATH); "
                f"without the schedule, {text} can stay: nbdeploy batch {name} --stop",
            )


def _known(before: Endpoint | None, tag: str) -> Mapping[str, str]:
    if before is None:
        return {}
    known = {release.tag: release.secrets for release in before.releases}
    return known[tag] if tag in known else known.get(before.traffic.stable, {})


def _require_readable(variable: str, text: str, target: str) -> None:
    in_cluster = parse_reference(text).kind == "k8s"
    if in_cluster == (target == "kubernetes"):
        return
    if in_cluster:
        raise InvalidInput(
            f"{variable} is read from {text}, which only target kubernetes has",
            "name a place on this machine (env:…, file:…, keyring:…), or deploy with --target kubernetes",
        )
    raise InvalidInput(
        f"{variable} is read from {text}, which the cluster does not have",
        f"name a Secret of the cluster and its key, such as --secret {variable}=k8s:NAME/KEY",
    )
