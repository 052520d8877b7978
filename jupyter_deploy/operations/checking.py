"""What only shows beside the releases that an endpoint has already."""

from __future__ import annotations

from jupyter_deploy.domain.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.endpoint import Endpoint
from jupyter_deploy.domain.findings import Finding
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.training import outdated

from .capture import Check
from .change import require_signature


def check_beside(before: Endpoint | None, ports: Ports) -> Check:
    """A check of a new manifest for the endpoint as it is now (None: there is none yet).

    It raises SignatureMismatch where clients of stable would not be understood, and finds what is wrong with the
    training data beside those of the last release.
    """

    def check(manifest: Manifest) -> tuple[Finding, ...]:
        if before is None:
            return ()
        unstored = Snapshot(tag=f"{before.name}:this model", digest="", fingerprint="", path="", manifest=manifest)
        require_signature(ports, before, unstored)
        last = max(before.releases, key=lambda release: release.created_at)
        known = ports.store.remembered(last.tag)
        if manifest.training is None or known is None or known.manifest.training is None:
            return ()
        return tuple(outdated(manifest.training, known.manifest.training, last.tag))

    return check
