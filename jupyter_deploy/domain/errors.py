"""Every error that nbdeploy raises on purpose, in one tree.

::

    DeployError
    ├── InvalidInput            what was asked for cannot be: said before slow work starts
    │   ├── InvalidName
    │   ├── UnknownEndpoint
    │   ├── UnknownRelease
    │   ├── UnknownRevision
    │   ├── UnknownRecord       none with this key: purged, or cleared away
    │   ├── UnknownSource       no such variable, notebook or snapshot
    │   ├── UnknownTarget
    │   ├── UnknownJob
    │   ├── InvalidExample      none, an empty one, one on which the model raises
    │   ├── InvalidTraffic      shares that cannot be
    │   ├── NoCandidate
    │   ├── NotCapturable       the object holds something that cannot leave the process
    │   ├── BaseUnfit           a base image that is missing, or of another Python or machine
    │   └── SignatureMismatch   the candidate would not understand stable's requests
    ├── Refused                 possible, but not right
    │   ├── Conflict            somebody else changed the endpoint first
    │   ├── CheckFailed         a check found what speaks against the deploy
    │   ├── GateFailed          a gate of the endpoint's validations does not hold
    │   │   └── GateInconclusive    there is too little evidence yet that one holds
    │   ├── ReplayFailed        a clean process did not answer as the notebook did
    │   ├── Untrusted           not captured by this user's store
    │   └── CandidateUnhealthy
    ├── TargetError             the machinery behind the endpoint failed
    │   ├── StartFailed
    │   ├── EnvironmentChanged
    │   ├── EnvironmentNotBuilt an environment of its own cannot be made for a release
    │   ├── EnvoyMissing
    │   ├── ToolMissing         a program that images are made or moved with is not installed
    │   ├── ImageNotBuilt
    │   ├── RegistryError       a registry that does not answer, does not let in, has no room
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

if TYPE_CHECKING:  # who only names an error, as a starting command does, needs no pydantic
    from pydantic import BaseModel

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class DeployError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message : str
        What is wrong, and where.
    remedy : str
        What the reader can do about it.
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
        """For another process: without what only this one knows, such as how its notebook shows it."""
        known = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return type(self), self.args, known

    def __str__(self) -> str:
        parts = [self.message, self.details, f"→ {self.remedy}" if self.remedy else ""]
        return "\n".join(part for part in parts if part)


class InvalidInput(DeployError):
    code = "invalid_input"


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


class BaseUnfit(InvalidInput):
    code = "base_unfit"


class SignatureMismatch(InvalidInput):
    code = "signature_mismatch"


class Refused(DeployError):
    code = "refused"


class Conflict(Refused):
    code = "conflict"


class CheckFailed(Refused):
    """A check found what speaks against the deploy.

    Parameters
    ----------
    findings : sequence of domain.findings.Finding
        Those that do.
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
    """There is too little evidence yet that a gate holds, or that it does not."""

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
    """What any write may meet, wherever it is, is no bug: a full or read-only disk becomes a StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        raise StoreError(
            f"cannot write {error.filename or 'a file'}: {error.strerror}",
            "make room on that disk or make it writable; NBDEPLOY_HOME, BENTOML_HOME and TMPDIR name other folders",
        ) from error


def done_by_then(stopped: BaseException) -> str:
    """What is said to who interrupts an operation: its own notes of what it has done, where it has any."""
    return "; ".join(getattr(stopped, "__notes__", ())) or "nothing half-made is left"
