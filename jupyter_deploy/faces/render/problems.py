"""Problems (RFC 9457): the conversion of errors for HTTP and jobs. Pure."""

from __future__ import annotations

import traceback

from pydantic import ValidationError

from jupyter_deploy.domain.errors import CheckFailed, DeployError, GateFailed, InvalidInput, interruption_notes
from jupyter_deploy.domain.jobs import Problem

from .error_codes import error_code

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
    row = error_code(type(error))
    return Problem(
        code=error.code,
        title=row.title,
        status=row.status,
        detail=error.message,
        remedy=error.remedy,
        details=error.details,
        report=error.report if isinstance(error, GateFailed) else "",
        findings=tuple(f.model_dump(mode="json") for f in error.findings) if isinstance(error, CheckFailed) else (),
    )


def _of_validation(error: ValidationError) -> Problem:
    """Convert a validation error: each invalid field, without its value, which may be long or secret."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    messages = [(item["loc"], item["msg"].removeprefix("Value error, ")) for item in errors]
    named = [f"{'.'.join(map(str, loc))}: {words}" if loc else words for loc, words in messages]
    row = error_code(InvalidInput)
    return Problem(
        code=InvalidInput.code,
        title=row.title,
        status=row.status,
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
