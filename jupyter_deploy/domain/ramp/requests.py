"""The request of the verb ``ramp``; see ``domain.requests``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.parsing import Duration, Requirements
from jupyter_deploy.domain.requests import EndpointName, IfRevision, Reason, Request

from .plan import parse_steps


def _checked_steps(given: Any) -> Any:
    """Check ``1,5,20,50,100``, or in Python a list of numbers; they stay one text."""
    if given is None:
        return None
    listed = isinstance(given, Sequence) and not isinstance(given, str)
    text = ",".join(f"{step:g}" if isinstance(step, int | float) else str(step) for step in given) if listed else given
    parse_steps(str(text))
    return str(text)


Steps = Annotated[str, BeforeValidator(_checked_steps)]


class RampRequest(Request):
    """Give a canary more and more of the requests, advanced and rolled back by evidence; without options, show it.

    A process of its own drives the ramp: it outlives the notebook and the shell. It advances when a point more errors
    than stable is excluded, the requirements are met, 100 clusters of requests passed and the step has lasted long
    enough; 100 means to promote. It rolls back as soon as the candidate is shown to be worse.

    For example: nbdeploy ramp churn --steps 1,5,20,50,100. Details: docs/how-to/ramp-a-canary.md.
    """

    name: EndpointName
    steps: Steps | None = Field(
        default=None,
        description="Begin a ramp: the candidate's percentages of the requests, which rise, such as 1,5,20,50,100; 100 "
        "promotes it.",
    )
    require: Requirements = Field(
        default=[],
        description="A figure of 'compare' that must be shown before a step ends, such as 'slow_rate <= 6%' "
        "(repeatable); if its opposite is shown, the ramp rolls back.",
    )
    per_step: Duration | None = Field(
        default=None, description="The least duration of a step, such as 30m or 2h (default: 30m)."
    )
    candidate: str | None = Field(
        default=None,
        description="The candidate (default: the canary, else the only shadow).",
        json_schema_extra={"completes": "release"},
    )
    shadow_first: bool = Field(
        default=False,
        description="The candidate begins as a shadow, and answers clients once it is shown to agree with stable.",
    )
    pause: bool = Field(default=False, description="Stay at the present share; the guardrails still roll back.")
    resume: bool = Field(default=False, description="Continue a paused ramp; its step begins anew.")
    abort: bool = Field(default=False, description="End the ramp: the candidate answers no clients any more.")
    if_revision: IfRevision = None
    reason: Reason = ""
