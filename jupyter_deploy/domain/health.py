"""The health of nbdeploy's own parts: checks, their examiners, and the verb ``doctor``'s request and result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from pydantic import Field

from .base import Value
from .requests import Request

Part = Literal["machine", "programs", "records", "store", "endpoints"]


class DoctorRequest(Request):
    """Check nbdeploy's own parts: disk, clock, store, records, supervisor, gateway, releases.

    The exit code is 1 while something is broken, else 0. 'doctor --mend' restarts what should run and closes folders
    to other users; it deletes nothing.
    """

    part: tuple[Part, ...] = Field(
        default=(),
        description="Only this part: machine (disk, permissions, clock), programs (supervisor, archivist, gateway), "
        "records, store or endpoints (repeatable; default: all).",
    )
    mend: bool = Field(default=False, description="Mend what can be mended without loss, and check again.")


class HealthCheck(Value):
    """The state of one part.

    ``warning``: it works, and will not for long or not wholly. ``mended``: it was broken before ``--mend``.
    """

    part: str
    state: Literal["ok", "warning", "error"]
    message: str
    remedy: str = ""
    mended: bool = False


class Diagnosis(Value):
    """All checks, those that need attention first."""

    checks: tuple[HealthCheck, ...]

    @property
    def broken(self) -> tuple[HealthCheck, ...]:
        """The checks that found an error."""
        return tuple(check for check in self.checks if check.state == "error")

    def after(self, before: Diagnosis) -> Diagnosis:
        """Mark the parts that are better than before as mended."""
        states = {check.part: check.state for check in before.checks}
        checks = (
            check.model_copy(update={"mended": True})
            if _RANK[check.state] > _RANK[states.get(check.part, check.state)]
            else check
            for check in self.checks
        )
        return Diagnosis(checks=tuple(checks))


class Examiner(Protocol):
    """Checks one part; starts nothing, and changes nothing unless ``mend``."""

    def __call__(self, *, mend: bool) -> Iterable[HealthCheck]: ...


_RANK: Mapping[str, int] = {"error": 0, "warning": 1, "ok": 2}


def sorted_checks(checks: Iterable[HealthCheck]) -> tuple[HealthCheck, ...]:
    """Sort checks by state: errors, warnings, then the rest, each in their order."""
    return tuple(sorted(checks, key=lambda check: _RANK[check.state]))
