"""Notifications about a ramp. Pure."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.monitoring.events import cloud_event

from .state import Action, Decision
from .status import Look, RampStatus

_TYPES: dict[Action, str] = {
    "advance": "advanced",
    "promote": "finished",
    "finish": "finished",
    "hold": "held",
    "roll back": "rolled-back",
    "hard stop": "rolled-back",
}


def ramp_event(status: RampStatus, decision: Decision, look: Look) -> dict[str, Any]:
    """Return the notification of a decision; ``status`` is that after it."""
    kind = _TYPES[decision.action]
    data = {
        "action": decision.action,
        "reason": decision.reason,
        "waits_for": list(decision.waits_for),
        "evidence": list(decision.evidence),
        "endpoint": status.endpoint,
        "revision": status.revision,
        "candidate": status.candidate,
        "phase": status.phase,
        "step": status.step,
        "steps": list(status.steps),
        "percent": status.percent,
    }
    number = f"{status.endpoint}-{status.revision}-{kind}-{look.at:%Y%m%dT%H%M%S.%f}"
    return cloud_event(f"ramp.{kind}", f"endpoints/{status.endpoint}", number, look.at, data, subject=status.candidate)


def must_notify(decision: Decision, former: Look | None) -> bool:
    """Whether to notify of a hold: the step has lasted long enough, and its open conditions are others than before."""
    if "duration" in decision.waits_for:
        return False
    return former is None or former.notified != decision.waits_for
