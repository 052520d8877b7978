"""Makes a bento and a release of a snapshot."""

from __future__ import annotations

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.resources import Resources


def build(snapshot: Snapshot, ports: Ports) -> Bento:
    """Return the bento of a snapshot; an existing bento is used unchanged."""
    return ports.builder.build(snapshot)


def release_of(snapshot: Snapshot, endpoint: str, resources: Resources, image: str | None = None) -> Release:
    """Return the release of a snapshot, or of the image with that snapshot, without the path of a bento."""
    manifest = snapshot.manifest
    return Release(
        endpoint=endpoint,
        tag=snapshot.tag,
        digest=snapshot.digest,
        path="",
        snapshot_path=snapshot.path,
        interpreter=manifest.environment.interpreter,
        source=manifest.provenance.source,
        framework=manifest.framework,
        stochastic=manifest.stochastic,
        findings=manifest.findings,
        resources=resources,
        image=image,
        pyarrow="pyarrow" in manifest.environment.in_image.distributions,
        created_at=now(),
    )
