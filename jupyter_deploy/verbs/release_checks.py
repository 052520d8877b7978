"""Checks of a new model that compare it with the endpoint's releases."""

from __future__ import annotations

from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.training import outdated
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest

from .capture import Check
from .change import require_signature
from .redaction import redacted_columns


def release_check(before: Endpoint | None, request: DeployRequest, ports: Ports) -> Check:
    """Return the check of a new manifest for the endpoint at its present revision (None: there is no endpoint yet).

    The check raises InvalidInput if the model lacks a redacted column, and SignatureMismatch if the model does not
    understand the requests of stable's clients. It compares the training data with those of the last release and of
    stable, and returns the findings.
    """

    def check(manifest: Manifest) -> tuple[Finding, ...]:
        unstored = Snapshot(tag="this model", digest="", fingerprint="", path="", manifest=manifest)
        redacted_columns(request, before, unstored, ports)
        if before is None:
            return ()
        require_signature(ports, before, unstored.tag, manifest.signature)
        last = max(before.releases, key=lambda release: release.created_at).tag
        findings: dict[str, Finding] = {}
        for tag in dict.fromkeys((last, before.traffic.stable)):
            known = ports.store.remembered(tag)
            if manifest.training is not None and known is not None and known.manifest.training is not None:
                for finding in outdated(manifest.training, known.manifest.training, tag):
                    findings.setdefault(finding.message.replace(tag, ""), finding)  # one of both releases is enough
        return tuple(findings.values())

    return check
