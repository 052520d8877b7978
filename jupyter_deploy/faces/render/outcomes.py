"""The exit code that a result means: the table stands in ``nbdeploy --help``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_deploy.domain.capture.reproduction import Reproduction
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.images.published import Verified
from jupyter_deploy.domain.results import Prediction, Reconciled
from jupyter_deploy.domain.validation.validation import Validation, Verdict

NOT_MET, USAGE, INTERNAL, INCONCLUSIVE, KERNEL_DIED = 1, 2, 3, 4, 138
_STOPPED = {"interrupted": 130, "terminated": 143}


def exit_code(result: Any) -> int:
    """0, unless the result says that something is not as it should be."""
    if isinstance(result, list):
        return INTERNAL if any(isinstance(item, Reconciled) and item.failed for item in result) else 0
    of_kind = _CODES.get(type(result))
    return of_kind(result) if of_kind else 0


def _of_comparison(comparison: Comparison) -> int:
    if comparison.requirements:
        outcomes = {requirement.outcome for requirement in comparison.requirements}
        return NOT_MET if "not met" in outcomes else INCONCLUSIVE if "undecided" in outcomes else 0
    nothing = not comparison.pairs and not comparison.sides["candidate"].requests
    return INCONCLUSIVE if nothing else 0


def _of_prediction(prediction: Prediction) -> int:
    if prediction.status < 400:
        return 0
    return USAGE if prediction.status < 500 else INTERNAL


def _of_validation(validation: Validation) -> int:
    if validation.stopped:
        return _STOPPED[validation.stopped]
    if any(run.status == "died" for run in validation.runs):
        return KERNEL_DIED
    if validation.passed and validation.unreported:
        return INTERNAL  # what was asked for is not there
    return _VERDICTS[validation.verdict]


_VERDICTS: dict[Verdict, int] = {"pass": 0, "fail": NOT_MET, "inconclusive": INCONCLUSIVE}

_CODES: dict[type, Callable[[Any], int]] = {
    Comparison: _of_comparison,
    Prediction: _of_prediction,
    Reproduction: lambda found: 0 if found.outcome == "reproduced" else NOT_MET,
    Validation: _of_validation,
    Verified: lambda found: _VERDICTS[found.verdict],
}
