"""The shares of an endpoint's releases."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidTraffic

Role = Literal["stable", "canary", "shadow", "idle"]

WEIGHTS = 10_000
"""The sum of the weights by which a gateway splits the requests."""


class Traffic(Value):
    """The roles of releases: one stable release, at most one canary, any number of shadows.

    ``canary_percent`` of the requests go to the canary, the rest to stable. Each shadow gets a copy of its
    percentage of the requests; its answers go only to the records.
    """

    stable: str
    canary: str | None = None
    canary_percent: float = Field(default=0.0, ge=0, le=100, allow_inf_nan=False)
    shadows: dict[str, float] = {}

    def model_post_init(self, _context: Any, /) -> None:
        """Check the invariants of all transitions."""
        roles = [self.stable, *([self.canary] if self.canary else []), *self.shadows]
        if len(set(roles)) != len(roles):
            raise InvalidTraffic("a release has one role, and a tag is given twice", "name each release once")
        if bool(self.canary) != (self.canary_percent > 0):
            raise InvalidTraffic("a canary needs a percentage above 0", "give it one, such as 10")
        for tag, percent in self.shadows.items():
            check_percent(percent, f"shadow {tag}")

    def role_of(self, tag: str) -> Role:
        if tag == self.stable:
            return "stable"
        if tag == self.canary:
            return "canary"
        return "shadow" if tag in self.shadows else "idle"

    def percent_of(self, tag: str) -> float:
        """The share of requests that ``tag`` answers (stable, canary) or gets a copy of (shadow)."""
        if tag == self.stable:
            return 100.0 - self.canary_percent
        if tag == self.canary:
            return self.canary_percent
        return self.shadows.get(tag, 0.0)

    def tags(self) -> list[str]:
        return [self.stable, *([self.canary] if self.canary else []), *self.shadows]

    def without(self, tag: str) -> Traffic:
        """The same traffic without a candidate; its share returns to stable."""
        shadows = {name: percent for name, percent in self.shadows.items() if name != tag}
        if tag == self.canary:
            return Traffic(stable=self.stable, shadows=shadows)
        return self.model_copy(update={"shadows": shadows})


def check_percent(percent: float, subject: str) -> float:
    """Return the percentage. Raises InvalidTraffic: below 0, above 100, or not a number."""
    if not 0 <= percent <= 100:  # NaN fails this too
        raise InvalidTraffic(f"{subject}: {percent:g} is not a percentage", "give a number from 0 to 100")
    return float(percent)


def share_in_force(percent: float) -> float:
    """Return the canary's share of the requests that a gateway routes: a multiple of 0.01 %, at least that."""
    return min(WEIGHTS, max(1, round(percent * WEIGHTS / 100))) / WEIGHTS
