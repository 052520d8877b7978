"""Statements about an image that its publisher signs: bill of materials, results of its gates, provenance. Pure.

Each is the predicate of an in-toto statement about the image's digest. Who, where and when are stated here, outside of
the image, so that the same snapshot gives the same digest for every user at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.model_selection.selection import Choice
from jupyter_deploy.domain.validation.validation import Run, Validation, Verdict, worst

from .images import Publication

BILL_TYPE = "https://cyclonedx.org/bom"
TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"

_RESULTS: Mapping[Verdict, str] = {"pass": "PASSED", "fail": "FAILED", "inconclusive": "WARNED"}


def results_of(validation: Validation, forced: str) -> dict[str, Any]:
    """Return the predicate (in-toto's test result) of the validation that a release was added or promoted by.

    ``passedTests``, ``warnedTests`` and ``failedTests`` hold gates as they are written, checks, and the names of
    notebooks that did not end. ``forced`` is the reason of ``--force``; empty: it was not forced.
    """
    verdicts: dict[str, list[Verdict]] = {}
    for name, verdict in _outcomes(validation):
        verdicts.setdefault(name, []).append(verdict)
    tests = {name: worst(of) for name, of in verdicts.items()}
    notebooks = dict.fromkeys(PurePath(run.notebook).name for run in validation.runs)
    about = {"uri": f"urn:nbdeploy:validation:{validation.id}", "annotations": {"at": validation.at.isoformat()}}
    return {
        "result": _RESULTS[validation.verdict],
        "configuration": [{"name": name, **about} for name in notebooks or ("live traffic",)],
        "passedTests": [name for name, verdict in tests.items() if verdict == "pass"],
        "warnedTests": [name for name, verdict in tests.items() if verdict == "inconclusive"],
        "failedTests": [name for name, verdict in tests.items() if verdict == "fail"],
        **({"nbdeploy_forced": forced} if forced else {}),
    }


def _outcomes(validation: Validation) -> Iterable[tuple[str, Verdict]]:
    for run in validation.runs:
        yield from _outcomes_of_run(run)
    for gate in validation.live:
        yield gate.expression, gate.verdict


def _outcomes_of_run(run: Run) -> Iterable[tuple[str, Verdict]]:
    if run.status != "done":
        yield PurePath(run.notebook).name, "fail"
    for check in run.checks:
        yield f"check '{check.name}'", "pass" if check.passed else "fail"
    for gate in run.gates:
        yield gate.expression, gate.verdict


def provenance_of(snapshot: Snapshot, publication: Publication, choice: Choice | None = None) -> dict[str, Any]:
    """Return the predicate (SLSA's provenance) of a published image: who, from which notebook and commit, when.

    ``choice``: the choice among models that led to the release; its table is attested too.
    """
    manifest, image = snapshot.manifest, publication.image
    captured = manifest.provenance
    inputs = [
        _input(snapshot.tag, sha256=snapshot.digest),
        _input("base image", sha256=image.base.rpartition("@")[2]),
    ]
    if captured.notebook_sha256:
        inputs.append(_input(PurePath(captured.source.notebook or "notebook").name, sha256=captured.notebook_sha256))
    if captured.git:
        inputs.append(_input("source", gitCommit=captured.git.commit))
    return {
        "buildDefinition": {
            "buildType": "urn:nbdeploy:publish:v1",
            "externalParameters": {"snapshot": snapshot.tag, "builder": image.builder},
            "internalParameters": {
                "endpoint": publication.endpoint,
                "captured_by": captured.user,
                "captured_at": captured.captured_at.isoformat(),
                "published_by": publication.user,
                "uncommitted_changes": captured.git.dirty if captured.git else None,
                "forced": publication.forced,
                **({"choice": choice.model_dump(mode="json")} if choice else {}),
            },
            "resolvedDependencies": inputs,
        },
        "runDetails": {
            "builder": {"id": f"urn:nbdeploy:builder:{image.builder}"},
            "metadata": {"finishedOn": publication.published_at.isoformat()},
        },
    }


def _input(name: str, **digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {kind: value.removeprefix("sha256:") for kind, value in digest.items()}}
