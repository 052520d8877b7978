"""Exit codes, and the table of error codes: the HTTP status, exit code and title of each. Pure."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_deploy.domain.errors import DeployError

NOT_MET, USAGE, INTERNAL, INCONCLUSIVE, INTERRUPTED, KERNEL_DIED, TERMINATED = 1, 2, 3, 4, 130, 138, 143


class ErrorCode(NamedTuple):
    """The meaning of an error's code for HTTP, for the command line and for a reader."""

    status: int
    exit_code: int
    title: str


ERROR_CODES = {
    "unknown_endpoint": ErrorCode(404, USAGE, "There is no such endpoint"),
    "unknown_release": ErrorCode(404, USAGE, "There is no such release"),
    "unknown_revision": ErrorCode(404, USAGE, "There is no such revision"),
    "unknown_source": ErrorCode(404, USAGE, "There is no such variable, notebook or snapshot"),
    "unknown_target": ErrorCode(404, USAGE, "There is no such target"),
    "unknown_record": ErrorCode(404, USAGE, "There is no such record"),
    "unknown_job": ErrorCode(404, USAGE, "There is no such job"),
    "invalid_input": ErrorCode(422, USAGE, "The request is invalid"),
    "invalid_name": ErrorCode(422, USAGE, "The name is invalid"),
    "invalid_example": ErrorCode(422, USAGE, "The example cannot be used"),
    "invalid_traffic": ErrorCode(422, USAGE, "The shares are invalid"),
    "no_candidate": ErrorCode(422, USAGE, "There is no candidate"),
    "not_capturable": ErrorCode(422, USAGE, "The model cannot leave its notebook"),
    "not_translated": ErrorCode(422, USAGE, "The model cannot be translated"),
    "base_unfit": ErrorCode(422, USAGE, "The base image does not fit"),
    "signature_mismatch": ErrorCode(422, USAGE, "The model would not understand the endpoint's requests"),
    "secret_missing": ErrorCode(422, USAGE, "A secret cannot be read"),
    "refused": ErrorCode(409, NOT_MET, "Refused"),
    "unconfirmed": ErrorCode(409, NOT_MET, "The request does not confirm it"),
    "conflict": ErrorCode(409, NOT_MET, "Another client changed the endpoint first"),
    "guard_failed": ErrorCode(409, NOT_MET, "A check refuses this deploy"),
    "gate_failed": ErrorCode(409, NOT_MET, "A gate does not hold"),
    "gate_inconclusive": ErrorCode(409, INCONCLUSIVE, "There is too little evidence yet for a gate"),
    "replay_failed": ErrorCode(409, NOT_MET, "A clean process does not answer as the notebook did"),
    "untrusted": ErrorCode(409, NOT_MET, "The snapshot is not trusted"),
    "candidate_unhealthy": ErrorCode(409, NOT_MET, "The candidate is not healthy"),
    "error": ErrorCode(500, INTERNAL, "The operation failed"),
    "target_error": ErrorCode(500, INTERNAL, "The target of the endpoints failed"),
    "start_failed": ErrorCode(500, INTERNAL, "The release did not start"),
    "environment_changed": ErrorCode(500, INTERNAL, "The environment has changed"),
    "environment_not_built": ErrorCode(500, INTERNAL, "The release's environment could not be made"),
    "envoy_missing": ErrorCode(500, INTERNAL, "The gateway's program is missing"),
    "tool_missing": ErrorCode(500, INTERNAL, "A program is missing"),
    "image_not_built": ErrorCode(500, INTERNAL, "The image could not be built"),
    "registry_error": ErrorCode(502, INTERNAL, "The registry refused the operation"),
    "route_not_confirmed": ErrorCode(500, INTERNAL, "The gateway did not confirm the change"),
    "notebook_failed": ErrorCode(500, INTERNAL, "A notebook's cell failed"),
    "kernel_died": ErrorCode(500, KERNEL_DIED, "A notebook's kernel died"),
    "store_error": ErrorCode(500, INTERNAL, "The store cannot be used"),
    "wrong_distribution": ErrorCode(500, USAGE, "Another project owns the import name"),
}


def error_code(kind: type[BaseException]) -> ErrorCode:
    """Return the row of an error's class; a class with a code of its own has the row of its parent."""
    codes = (getattr(parent, "code", "") for parent in kind.__mro__)
    return next((ERROR_CODES[code] for code in codes if code in ERROR_CODES), ERROR_CODES[DeployError.code])
