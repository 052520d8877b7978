"""Metrics of a routed revision: shares of the traffic, the ramp's step, results of gates. Pure."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from jupyter_deploy.domain.ramp.state import Phase
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.validation.validation import Verdict

from .exposition import Exposition, Labels


def endpoint_metrics(endpoint: Endpoint) -> str:
    """Return the metrics of a revision as an exposition."""
    exposition, name = Exposition(), {"endpoint": endpoint.name}
    exposition.add(
        "nbdeploy_endpoint_revision", "gauge", "Revision of the endpoint that is in force", [(name, endpoint.revision)]
    )
    roles = {tag: labels_of(endpoint, tag) for tag in endpoint.traffic.tags()}
    exposition.add(
        "nbdeploy_release_traffic_ratio",
        "gauge",
        "Share of the requests that a release answers, or gets a copy of as a shadow",
        [(labels, endpoint.traffic.percent_of(tag) / 100) for tag, labels in roles.items()],
    )
    _gates(endpoint, roles, exposition)
    _ramp(endpoint, exposition)
    return exposition.text()


def labels_of(endpoint: Endpoint, tag: str) -> dict[str, str]:
    """Return the labels of a release's metrics."""
    return {"endpoint": endpoint.name, "release": tag, "role": endpoint.traffic.role_of(tag)}


def _gates(endpoint: Endpoint, roles: dict[str, dict[str, str]], exposition: Exposition) -> None:
    results: list[tuple[Labels, float]] = []
    ended: list[tuple[Labels, float]] = []
    for tag, labels in roles.items():
        validated = endpoint.release(tag).validation
        if validated is None:
            continue
        counts = Counter(line.verdict for line in validated.lines)
        results += [({**labels, "verdict": verdict}, counts[verdict]) for verdict in get_args(Verdict)]
        ended.append((labels, validated.at.timestamp()))
    words = "Gates and checks of the last validation that a release was added or promoted by"
    exposition.add("nbdeploy_gate_results", "gauge", words, results)
    exposition.add("nbdeploy_validation_timestamp_seconds", "gauge", "Time of that validation", ended)


def _ramp(endpoint: Endpoint, exposition: Exposition) -> None:
    ramp = endpoint.ramp
    if ramp is None:
        return
    labels = {"endpoint": endpoint.name, "candidate": ramp.candidate}
    exposition.add(
        "nbdeploy_ramp_step", "gauge", "Step of the latest ramp, from 1; 0: as a shadow", [(labels, ramp.step + 1)]
    )
    exposition.add("nbdeploy_ramp_steps", "gauge", "Steps of the latest ramp", [(labels, len(ramp.plan.steps))])
    phases = [({**labels, "phase": phase}, float(phase == ramp.phase)) for phase in get_args(Phase)]
    exposition.add("nbdeploy_ramp_phase", "gauge", "1 for the present phase of the latest ramp", phases)
    since = [(labels, ramp.since.timestamp())]
    exposition.add("nbdeploy_ramp_step_start_timestamp_seconds", "gauge", "Begin of the ramp's present step", since)
