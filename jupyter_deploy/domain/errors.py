"""Every error that nbdeploy raises on purpose, in one tree.

::

    DeployError
    ├── InvalidInput            the request is invalid: raised before slow work starts
    │   ├── InvalidName
    │   ├── UnknownEndpoint
    │   ├── UnknownRelease
    │   ├── UnknownRevision
    │   ├── UnknownRecord       no record has this key: purged or expired
    │   ├── UnknownSource       no such variable, notebook or snapshot
    │   ├── UnknownTarget
    │   ├── UnknownJob
    │   ├── InvalidExample      missing, empty, or the model raises on it
    │   ├── InvalidTraffic      shares that are impossible
    │   ├── NoCandidate
    │   ├── NotCapturable       the object holds something that cannot leave the process
    │   ├── NotTranslated       no translation of the model answers as the model does
    │   ├── BaseUnfit           a base image that is missing, or of another Python or machine
    │   └── SignatureMismatch   the candidate does not accept stable's requests
    ├── Refused                 possible, but refused by a rule
    │   ├── Conflict            another client changed the endpoint first
    │   ├── Unconfirmed         it cannot be undone, and the request does not confirm it
    │   ├── CheckFailed         a check found a reason against the deploy
    │   ├── GateFailed          a gate of the endpoint's validations does not hold
    │   │   └── GateInconclusive    too little evidence yet for a decision
    │   ├── ReplayFailed        a clean process gives other answers than the notebook
    │   ├── Untrusted           not captured by this user's store
    │   └── CandidateUnhealthy
    ├── TargetError             the machinery behind the endpoint failed
    │   ├── StartFailed
    │   ├── EnvironmentChanged
    │   ├── EnvironmentNotBuilt a release's isolated environment cannot be built
    │   ├── EnvoyMissing
    │   ├── ToolMissing         a program for images is not installed
    │   ├── ImageNotBuilt
    │   ├── RegistryError       a registry that is down, refuses access or is full
    │   └── RouteNotConfirmed
    ├── NotebookFailed          a cell raised while the notebook ran headless
    │   └── KernelDied
    ├── StoreError              the state on disk cannot be read or written
    └── WrongDistribution       another PyPI project owns the same import name

Each class has a ``code`` (stable, for machines) and each instance a ``remedy`` (for people).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # a starting command that only names errors needs no pydantic
    from pydantic import BaseModel

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class DeployError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message : str
        The thing that is wrong, and its place.
    remedy : str
        The reader's next step.
    details : str
        Long material worth reading after the message (the tail of a log, a difference).
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for another process, without private attributes such as the notebook's traceback."""
        known = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return type(self), self.args, known

    def __str__(self) -> str:
        parts = [self.message, self.details, f"→ {self.remedy}" if self.remedy else ""]
        return "\n".join(part for part in parts if part)


class InvalidInput(DeployError):
    code = "invalid_input"


class SecretMissing(InvalidInput):
    code = "secret_missing"


class InvalidName(InvalidInput):
    code = "invalid_name"


class UnknownEndpoint(InvalidInput):
    code = "unknown_endpoint"


class UnknownRelease(InvalidInput):
    code = "unknown_release"


class UnknownRevision(InvalidInput):
    code = "unknown_revision"


class UnknownRecord(InvalidInput):
    code = "unknown_record"


class UnknownSource(InvalidInput):
    code = "unknown_source"


class UnknownTarget(InvalidInput):
    code = "unknown_target"


class UnknownJob(InvalidInput):
    code = "unknown_job"


class InvalidExample(InvalidInput):
    code = "invalid_example"


class InvalidTraffic(InvalidInput):
    code = "invalid_traffic"


class NoCandidate(InvalidInput):
    code = "no_candidate"


class NotCapturable(InvalidInput):
    code = "not_capturable"


class NotTranslated(InvalidInput):
    code = "not_translated"


class BaseUnfit(InvalidInput):
    code = "base_unfit"


class SignatureMismatch(InvalidInput):
    code = "signature_mismatch"


class Refused(DeployError):
    code = "refused"


class Conflict(Refused):
    code = "conflict"


class Unconfirmed(Refused):
    code = "unconfirmed"


class CheckFailed(Refused):
    """A check found a reason against the deploy.

    Parameters
    ----------
    findings : sequence of domain.findings.Finding
        The findings of these checks.
    """

    code = "guard_failed"

    def __init__(
        self, message: str, remedy: str = "", details: str = "", *, findings: Sequence[BaseModel] = ()
    ) -> None:
        super().__init__(message, remedy, details)
        self.findings = tuple(findings)


class GateFailed(Refused):
    """A gate of the endpoint's validations does not hold, or its notebook did not run to its end.

    Parameters
    ----------
    report : str
        Path of the validation's page; empty: there is none.
    """

    code = "gate_failed"

    def __init__(self, message: str, remedy: str = "", details: str = "", *, report: str = "") -> None:
        super().__init__(message, remedy, details)
        self.report = report


class GateInconclusive(GateFailed):
    """There is too little evidence yet to decide whether a gate holds."""

    code = "gate_inconclusive"


class ReplayFailed(Refused):
    code = "replay_failed"


class Untrusted(Refused):
    code = "untrusted"


class CandidateUnhealthy(Refused):
    code = "candidate_unhealthy"


class TargetError(DeployError):
    code = "target_error"


class StartFailed(TargetError):
    code = "start_failed"


class EnvironmentChanged(TargetError):
    code = "environment_changed"


class EnvironmentNotBuilt(TargetError):
    code = "environment_not_built"


class EnvoyMissing(TargetError):
    code = "envoy_missing"


class ToolMissing(TargetError):
    code = "tool_missing"


class ImageNotBuilt(TargetError):
    code = "image_not_built"


class RegistryError(TargetError):
    code = "registry_error"


class RouteNotConfirmed(TargetError):
    code = "route_not_confirmed"


class NotebookFailed(DeployError):
    code = "notebook_failed"


class KernelDied(NotebookFailed):
    code = "kernel_died"


class StoreError(DeployError):
    code = "store_error"


class WrongDistribution(DeployError):
    code = "wrong_distribution"


@contextmanager
def disk_faults() -> Iterator[None]:
    """Within, a full or read-only disk becomes a StoreError, whichever write meets it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        raise StoreError(
            f"cannot write {error.filename or 'a file'}: {error.strerror}",
            "free space on that disk or make it writable; NBDEPLOY_HOME, BENTOML_HOME and TMPDIR name other folders",
        ) from error


def interruption_notes(stopped: BaseException) -> str:
    """Return the notes of an interrupted operation on its completed work, if it has any."""
    return "; ".join(getattr(stopped, "__notes__", ())) or "nothing half-made is left"
