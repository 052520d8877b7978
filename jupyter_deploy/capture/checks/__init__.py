"""Checks of a model about to be captured: one file a subject, each check a function that yields its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ports import Live

from .data import leakage, outdated_data
from .environment import dirty_tree, local_distribution, lock_mismatch, undistributed
from .features import features, features_at_a_glance, missing_values
from .notebook import stale_kernel
from .redefined import redefined_class
from .secrets import secrets, secrets_in_files
from .subject import Glanced, Proved, Subject

__all__ = [
    "GUARDS",
    "PROOF_GUARDS",
    "Glanced",
    "Proved",
    "Subject",
    "glanced",
    "inspect_proved",
    "inspect_subject",
    "stale",
]

_Looked = TypeVar("_Looked", Glanced, Subject, Proved)

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

GLANCES: tuple[Callable[[Glanced], Iterable[Finding]], ...] = (redefined_class, features_at_a_glance)
"""While somebody still chooses what to deploy: at once, and without an answer of the model."""

PROOF_GUARDS: tuple[Callable[[Proved], Iterable[Finding]], ...] = (
    local_distribution,
    lock_mismatch,
    undistributed,
    secrets_in_files,
)
"""After it: what only the clean process shows."""


def glanced(live: Live) -> tuple[Finding, ...]:
    """What the checks find at a glance."""
    return tuple(finding for guard in GLANCES for finding in _found(guard, Glanced(live)))


def stale(live: Live) -> tuple[Finding, ...]:
    """What ``stale-kernel`` finds; it needs no answer of the model either, but hundreds of cells take it seconds."""
    return tuple(_found(stale_kernel, Glanced(live)))


def inspect_subject(subject: Subject) -> tuple[Finding, ...]:
    """What the checks find before the replay."""
    return tuple(finding for guard in GUARDS for finding in _found(guard, subject))


def inspect_proved(proved: Proved) -> tuple[Finding, ...]:
    """What the checks find after the replay."""
    return tuple(finding for guard in PROOF_GUARDS for finding in _found(guard, proved))


def _found(guard: Callable[[_Looked], Iterable[Finding]], looked: _Looked) -> Iterator[Finding]:
    """Its findings; that it raised is one, since nothing that a check makes of odd code may keep it from its deploy."""
    try:
        yield from guard(looked)
    except Exception as error:  # noqa: BLE001 - notebooks and models hold whatever Python allows
        name = guard.__name__.removesuffix("_in_files").removesuffix("_at_a_glance").replace("_", "-")
        yield Finding(
            check=name,
            severity="warning" if name == "secrets" else "note",
            message=f"the check could not be made to its end: {type(error).__name__}: {error}",
        )
