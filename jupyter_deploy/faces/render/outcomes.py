"""The exit codes of results; ``nbdeploy --help`` has the table."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.capture.reproduction import Reproduction
from jupyter_deploy.domain.drift.drift import Drift
from jupyter_deploy.domain.evidence.inference import Comparison, Requirement
from jupyter_deploy.domain.images.published import Verified
from jupyter_deploy.domain.model_selection.selection import ModelSelection
from jupyter_deploy.domain.release.document_requests import EndpointPlan
from jupyter_deploy.domain.results import AtBoot, Prediction, Reconciled
from jupyter_deploy.domain.validation.validation import Validation, Verdict

from .error_codes import INCONCLUSIVE, INTERNAL, KERNEL_DIED, NOT_MET, USAGE

_STOPPED = {"interrupted": 130, "terminated": 143}
_VERDICTS: dict[Verdict, int] = {"pass": 0, "fail": NOT_MET, "inconclusive": INCONCLUSIVE}


def of_comparison(comparison: Comparison) -> int:
    if comparison.requirements:
        return _of_requirements(comparison.requirements)
    nothing = not comparison.pairs and not comparison.sides["candidate"].requests
    return INCONCLUSIVE if nothing else 0


def of_selection(selection: ModelSelection) -> int:
    return 0 if selection.remaining else NOT_MET


def of_drift(drift: Drift) -> int:
    if drift.requirements:
        return _of_requirements(drift.requirements)
    return 0 if drift.state == "watching" else INCONCLUSIVE


def _of_requirements(requirements: Sequence[Requirement]) -> int:
    outcomes = {requirement.outcome for requirement in requirements}
    return NOT_MET if "not met" in outcomes else INCONCLUSIVE if "undecided" in outcomes else 0


def of_prediction(prediction: Prediction) -> int:
    if prediction.status < 400:
        return 0
    return USAGE if prediction.status < 500 else INTERNAL


def of_validation(validation: Validation) -> int:
    if validation.stopped:
        return _STOPPED[validation.stopped]
    if any(run.status == "died" for run in validation.runs):
        return KERNEL_DIED
    if validation.passed and validation.unreported:
        return INTERNAL  # a requested report is missing
    return _VERDICTS[validation.verdict]


def of_plan(plans: list[EndpointPlan]) -> int:
    return NOT_MET if any(plan.changes and not plan.applied for plan in plans) else 0


def of_reconciliation(result: list[Reconciled] | AtBoot) -> int:
    failed = isinstance(result, list) and any(item.failed for item in result)
    return INTERNAL if failed else 0


def of_reproduction(reproduction: Reproduction) -> int:
    return 0 if reproduction.outcome == "reproduced" else NOT_MET


def of_verification(verified: Verified) -> int:
    return _VERDICTS[verified.verdict]
