"""Checks of a model about to be captured: one file a subject, each check a function that yields its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jupyter_deploy.domain.findings import Finding

from .data import leakage, outdated_data
from .environment import dirty_tree, local_distribution, lock_mismatch, undistributed
from .features import features, missing_values
from .notebook import stale_kernel
from .redefined import redefined_class
from .secrets import secrets, secrets_in_files
from .subject import Proved, Subject

__all__ = ["GUARDS", "PROOF_GUARDS", "Proved", "Subject", "inspect_proved", "inspect_subject"]

GUARDS: tuple[Callable[[Subject], Iterable[Finding]], ...] = (
    stale_kernel,
    redefined_class,
    features,
    missing_values,
    outdated_data,
    leakage,
    dirty_tree,
    secrets,
)
"""Before the replay, so that what is refused is refused before slow work."""

PROOF_GUARDS: tuple[Callable[[Proved], Iterable[Finding]], ...] = (
    local_distribution,
    lock_mismatch,
    undistributed,
    secrets_in_files,
)
"""After it: what only the clean process shows."""


def inspect_subject(subject: Subject) -> tuple[Finding, ...]:
    """What the checks find before the replay."""
    return tuple(finding for guard in GUARDS for finding in guard(subject))


def inspect_proved(proved: Proved) -> tuple[Finding, ...]:
    """What the checks find after the replay."""
    return tuple(finding for guard in PROOF_GUARDS for finding in guard(proved))
