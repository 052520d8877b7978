"""What only shows beside the releases that an endpoint has already."""

from __future__ import annotations

from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.training import outdated
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest

from .capture import Check
from .change import require_signature
from .redaction import redacted


def check_beside(before: Endpoint | None, request: DeployRequest, ports: Ports) -> Check:
    """A check of a new manifest for the endpoint as it is now (None: there is none yet).

    It raises InvalidInput where a column is to be redacted that the model does not have, SignatureMismatch where
    clients of stable would not be understood, and finds what is wrong with the training data beside those of the last
    release and of stable: what the last one lacked already, stable may have.
    """

    def check(manifest: Manifest) -> tuple[Finding, ...]:
        name = before.name if before else manifest.name
        unstored = Snapshot(tag=f"{name}:this model", digest="", fingerprint="", path="", manifest=manifest)
        redacted(request, before, unstored, ports)
        if before is None:
            return ()
        require_signature(ports, before, unstored)
        last = max(before.releases, key=lambda release: release.created_at).tag
        found: dict[str, Finding] = {}
        for tag in dict.fromkeys((last, before.traffic.stable)):
            known = ports.store.remembered(tag)
            if manifest.training is not None and known is not None and known.manifest.training is not None:
                for finding in outdated(manifest.training, known.manifest.training, tag):
                    found.setdefault(finding.message.replace(tag, ""), finding)  # the same of both is told once
        return tuple(found.values())

    return check
