"""Checks of a model about to be captured: one file a subject, each check a function that yields its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jupyter_deploy.adapters.frameworks import Framework
from jupyter_deploy.adapters.inspection import Inspected
from jupyter_deploy.domain.findings import Finding
from jupyter_deploy.domain.ports import Live

from .redefined import redefined_class

__all__ = ["GUARDS", "Guard", "Subject", "inspect_subject"]


@dataclass(frozen=True)
class Subject:
    """What is looked at: the live object with its notebook, and what is known of it by now."""

    live: Live
    seen: Inspected
    framework: Framework


Guard = Callable[[Subject], Iterable[Finding]]

GUARDS: tuple[Guard, ...] = (redefined_class,)


def inspect_subject(subject: Subject) -> tuple[Finding, ...]:
    """What all checks find."""
    return tuple(finding for guard in GUARDS for finding in guard(subject))
