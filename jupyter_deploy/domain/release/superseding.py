"""A person's change of the traffic ends a ramp in progress. Pure."""

from __future__ import annotations

from jupyter_deploy.domain.ramp.state import RampState, supersede

from .traffic import Traffic


def after_change(ramp: RampState | None, before: Traffic, after: Traffic | None, revision: int) -> RampState | None:
    """Return the ramp after a change that leads to ``revision``; one that concerns the ramp's shares ends it.

    ``after`` None: the endpoint stops.
    """
    if ramp is None or ramp.ended:
        return ramp
    had, has = (
        (one.stable, one.role_of(ramp.candidate), one.percent_of(ramp.candidate)) if one else None
        for one in (before, after)
    )
    what = "the traffic was changed" if after else "the endpoint was stopped"
    return ramp if had == has else supersede(ramp, f"{what} in revision {revision}")
