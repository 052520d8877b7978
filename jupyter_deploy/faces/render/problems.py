"""Problems (RFC 9457): the table of error codes, and the conversion of errors for HTTP and jobs. Pure."""

from __future__ import annotations

import traceback

from pydantic import ValidationError

from jupyter_deploy.domain.errors import CheckFailed, DeployError, GateFailed, InvalidInput, interruption_notes
from jupyter_deploy.domain.jobs import Problem

# An error's code -> HTTP status and title.
PROBLEMS: dict[str, tuple[int, str]] = {
    "unknown_endpoint": (404, "There is no such endpoint"),
    "unknown_release": (404, "There is no such release"),
    "unknown_revision": (404, "There is no such revision"),
    "unknown_source": (404, "There is no such variable, notebook or snapshot"),
    "unknown_target": (404, "There is no such target"),
    "unknown_record": (404, "There is no such record"),
    "unknown_job": (404, "There is no such job"),
    "invalid_input": (422, "The request is invalid"),
    "invalid_name": (422, "The name is invalid"),
    "invalid_example": (422, "The example cannot be used"),
    "invalid_traffic": (422, "The shares are invalid"),
    "no_candidate": (422, "There is no candidate"),
    "not_capturable": (422, "The model cannot leave its notebook"),
    "base_unfit": (422, "The base image does not fit"),
    "signature_mismatch": (422, "The model would not understand the endpoint's requests"),
    "refused": (409, "Refused"),
    "conflict": (409, "Another client changed the endpoint first"),
    "unconfirmed": (409, "The request does not confirm it"),
    "guard_failed": (409, "A check refuses this deploy"),
    "gate_failed": (409, "A gate does not hold"),
    "gate_inconclusive": (409, "There is too little evidence yet for a gate"),
    "replay_failed": (409, "A clean process does not answer as the notebook did"),
    "untrusted": (409, "The snapshot is not trusted"),
    "candidate_unhealthy": (409, "The candidate is not healthy"),
    "error": (500, "The operation failed"),
    "target_error": (500, "The target of the endpoints failed"),
    "start_failed": (500, "The release did not start"),
    "environment_changed": (500, "The environment has changed"),
    "environment_not_built": (500, "The release's environment could not be made"),
    "envoy_missing": (500, "The gateway's program is missing"),
    "tool_missing": (500, "A program is missing"),
    "image_not_built": (500, "The image could not be built"),
    "registry_error": (502, "The registry refused the operation"),
    "route_not_confirmed": (500, "The gateway did not confirm the change"),
    "notebook_failed": (500, "A notebook's cell failed"),
    "kernel_died": (500, "A notebook's kernel died"),
    "store_error": (500, "The store cannot be used"),
    "wrong_distribution": (500, "Another project owns the import name"),
}
BUG = "bug"


def problem_of(error: BaseException) -> Problem:
    """Convert an error to a problem; an error that is not a DeployError is a bug, with its traceback.

    A server shows the ``details`` of a bug only to the user who owns its processes and records.
    """
    if isinstance(error, ValidationError):
        return _of_validation(error)
    if not isinstance(error, DeployError):
        return Problem(
            code=BUG,
            title="This is a bug in nbdeploy",
            status=500,
            detail=f"{type(error).__name__}: {error}",
            remedy="please report it with the lines below",
            details="".join(traceback.format_exception(error)),
        )
    # A subclass in a target or an adapter has the status and title of its parent.
    codes = [getattr(kind, "code", "") for kind in type(error).__mro__]
    status, title = next(PROBLEMS[code] for code in codes if code in PROBLEMS)
    return Problem(
        code=error.code,
        title=title,
        status=status,
        detail=error.message,
        remedy=error.remedy,
        details=error.details,
        report=error.report if isinstance(error, GateFailed) else "",
        findings=tuple(f.model_dump(mode="json") for f in error.findings) if isinstance(error, CheckFailed) else (),
    )


def _of_validation(error: ValidationError) -> Problem:
    """Convert a validation error: each invalid field, without its value, which may be long or secret."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    messages = [(one["loc"], one["msg"].removeprefix("Value error, ")) for one in errors]
    named = [f"{'.'.join(map(str, loc))}: {words}" if loc else words for loc, words in messages]
    status, title = PROBLEMS[InvalidInput.code]
    return Problem(
        code=InvalidInput.code,
        title=title,
        status=status,
        detail="; ".join(named),
        remedy="correct the named fields and send the request again",
        errors=tuple({"loc": list(loc), "msg": words} for loc, words in messages),
    )


def interrupted_problem(stopped: KeyboardInterrupt) -> Problem | None:
    """Make the problem of a cancelled operation; None: it has no notes, so no partial work remains."""
    if not getattr(stopped, "__notes__", ()):
        return None
    return Problem(
        code="interrupted", title="The operation was stopped", status=409, detail=interruption_notes(stopped)
    )
