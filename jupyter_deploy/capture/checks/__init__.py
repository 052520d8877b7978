"""Checks of a model before its capture: one module a subject, each check a function that yields findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live

from .candidate import Candidate, LiveCandidate, ProvedCandidate
from .data import leakage, outdated_data
from .environment import dirty_tree, local_distribution, lock_mismatch, undistributed
from .features import features, features_fast, missing_values, missing_values_fast
from .notebook import stale_kernel
from .redefined import redefined_class
from .secrets import secrets, secrets_in_files

__all__ = [
    "CHECKS_AFTER_REPLAY",
    "CHECKS_BEFORE_REPLAY",
    "Candidate",
    "LiveCandidate",
    "ProvedCandidate",
    "check_candidate",
    "check_proved",
    "fast_findings",
    "stale_findings",
]

_Input = TypeVar("_Input", LiveCandidate, Candidate, ProvedCandidate)

CHECKS_BEFORE_REPLAY: tuple[Callable[[Candidate], Iterable[Finding]], ...] = (
    stale_kernel,
    redefined_class,
    features,
    missing_values,
    outdated_data,
    leakage,
    dirty_tree,
    secrets,
)
"""Run before the replay, so that a refusal precedes slow work."""

FAST_CHECKS: tuple[Callable[[LiveCandidate], Iterable[Finding]], ...] = (
    redefined_class,
    features_fast,
    missing_values_fast,
)
"""Run while the user chooses a model: fast checks that do not call it."""

CHECKS_AFTER_REPLAY: tuple[Callable[[ProvedCandidate], Iterable[Finding]], ...] = (
    local_distribution,
    lock_mismatch,
    undistributed,
    secrets_in_files,
)
"""Run after the replay, on the results of the clean process."""


def fast_findings(live: Live) -> tuple[Finding, ...]:
    """Return the findings of the fast checks."""
    return tuple(finding for check in FAST_CHECKS for finding in _findings_of(check, LiveCandidate(live)))


def stale_findings(live: Live) -> tuple[Finding, ...]:
    """Return the findings of ``stale-kernel``, which never calls the model but takes seconds for many cells."""
    return tuple(_findings_of(stale_kernel, LiveCandidate(live)))


def check_candidate(candidate: Candidate) -> tuple[Finding, ...]:
    """Return the findings of the checks before the replay."""
    return tuple(finding for check in CHECKS_BEFORE_REPLAY for finding in _findings_of(check, candidate))


def check_proved(proved: ProvedCandidate) -> tuple[Finding, ...]:
    """Return the findings of the checks after the replay."""
    return tuple(finding for check in CHECKS_AFTER_REPLAY for finding in _findings_of(check, proved))


def _findings_of(check: Callable[[_Input], Iterable[Finding]], checked: _Input) -> Iterator[Finding]:
    """Yield a check's findings, and a finding if it raises: a failing check must not prevent the deploy."""
    try:
        yield from check(checked)
    except Exception as error:  # noqa: BLE001 - notebooks and models hold whatever Python allows
        name = check.__name__.removesuffix("_in_files").removesuffix("_fast").replace("_", "-")
        yield Finding(
            check=name,
            severity="warning" if name == "secrets" else "note",
            message=f"the check failed: {type(error).__name__}: {error}",
        )
