"""From a snapshot to a bento, and from a bento to a release."""

from __future__ import annotations

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.resources import Resources


def build(snapshot: Snapshot, ports: Ports) -> Bento:
    """The bento of a snapshot; an existing one is used as it is."""
    return ports.builder.build(snapshot)


def release_of(
    bento: Bento, snapshot: Snapshot, endpoint: str, resources: Resources, image: str | None = None
) -> Release:
    """The bento, or the image that was made of it, as a release of an endpoint."""
    manifest = snapshot.manifest
    return Release(
        endpoint=endpoint,
        tag=bento.tag,
        digest=snapshot.digest,
        path=bento.path,
        snapshot_path=snapshot.path,
        interpreter=manifest.environment.interpreter,
        source=manifest.provenance.source,
        framework=manifest.framework,
        stochastic=manifest.stochastic,
        findings=manifest.findings,
        resources=resources,
        image=image,
        created_at=now(),
    )
