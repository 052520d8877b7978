"""Checks of a model about to be captured: one file a subject, each check a function that yields its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jupyter_deploy.domain.findings import Finding

from .data import leakage, outdated_data
from .subject import Subject

__all__ = ["GUARDS", "Guard", "Subject", "inspect_subject"]

Guard = Callable[[Subject], Iterable[Finding]]

GUARDS: tuple[Guard, ...] = (outdated_data, leakage)


def inspect_subject(subject: Subject) -> tuple[Finding, ...]:
    """What all checks find."""
    return tuple(finding for guard in GUARDS for finding in guard(subject))
