"""The gates of a release before it is published, by stored results: nothing runs here."""

from __future__ import annotations

from jupyter_deploy.domain.errors import GateFailed, GateInconclusive
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.validation.validation import Verdict

from .enforce_gates import require_reason


def forced_or_passed(endpoint: Endpoint, release: Release, request: PublishRequest, ports: Ports) -> str:
    """The reason that forces the publication of a release that did not pass; empty: it passed, or there are no gates.

    Raises
    ------
    InvalidInput
        ``--force`` has no reason.
    GateFailed, GateInconclusive
        The release did not pass, and the request does not say ``--force``.
    """
    require_reason(request)
    against = _against(endpoint, release, ports)
    if against is None:
        return ""
    if request.force:
        return request.reason
    raise against


def _against(endpoint: Endpoint, release: Release, ports: Ports) -> GateFailed | None:
    force = """'--force --reason "…"' publishes it all the same"""
    validated = release.validation
    if validated and validated.verdict != "pass":
        kind = GateFailed if validated.verdict == "fail" else GateInconclusive
        why = next((line.sentence for line in validated.lines if line.verdict != "pass"), validated.said)
        return kind(f"{release.tag} did not pass: {' '.join(why.split())}", force, report=validated.report or "")
    if validated is None and any(spec.notebook for spec in endpoint.validations):
        return GateInconclusive(
            f"{release.tag} was never validated by the gates of {endpoint.name}",
            f"'nbdeploy deploy {release.tag} --name {endpoint.name}' validates it; {force}",
        )
    undecided = _undecided(endpoint, release, ports)
    if undecided:
        return GateInconclusive(
            f"{release.tag} has not passed on live traffic yet: {undecided}",
            f"'nbdeploy promote {endpoint.name} {release.tag}' asks that of it; {force}",
        )
    return None


def _undecided(endpoint: Endpoint, release: Release, ports: Ports) -> str:
    """The gates on live traffic that a candidate has not passed; empty for stable, which has none."""
    gates = [
        parse_gate(gate).expression for spec in endpoint.validations if spec.notebook is None for gate in spec.gates
    ]
    if not gates or release.tag == endpoint.traffic.stable:
        return ""
    verdicts: dict[str, Verdict] = {}
    for validation in ports.store.validations(endpoint=endpoint.name):  # newest first
        if validation.snapshot == release.tag:
            for result in validation.live:
                verdicts.setdefault(result.expression, result.verdict)
    return ", ".join(gate for gate in gates if verdicts.get(gate) != "pass")
