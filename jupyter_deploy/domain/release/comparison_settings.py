"""The settings of an endpoint's comparisons: the tolerance of numbers, and the segments of the requests. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value

Default = Literal["default"]
NONE = "none"


class ComparisonSettings(Value):
    """The settings that hold for each comparison which does not name its own."""

    tolerance: float | None = Field(
        default=None, description="Numbers agree within this share of stable's; None: the default."
    )
    absolute_tolerance: float | None = Field(
        default=None, description="Numbers agree within this difference too, in the answers' unit; None: the default."
    )
    segments: tuple[str, ...] = Field(
        default=(), description="Declarations of segments, such as 'region' or 'age: <30, 30-60, >=60'."
    )
    segments_at: datetime | None = Field(
        default=None, description="The time of the declaration: only later requests count for the segments."
    )

    def changed(
        self,
        tolerance: float | Default | None,
        absolute_tolerance: float | Default | None,
        segments: tuple[str, ...],
        at: datetime,
    ) -> ComparisonSettings:
        """Return the settings with a change; None and no segments: unchanged, ``default`` and ``none``: removed.

        Equal segments keep their time of declaration.
        """
        chosen = () if segments == (NONE,) else segments or self.segments
        declared = self.segments_at if set(chosen) == set(self.segments) else at if chosen else None
        return ComparisonSettings(
            tolerance=_chosen(tolerance, self.tolerance),
            absolute_tolerance=_chosen(absolute_tolerance, self.absolute_tolerance),
            segments=chosen,
            segments_at=declared,
        )

    @property
    def words(self) -> str:
        """The settings in short: ``tolerance 0.01, segments region``; ``default`` without any."""
        parts = [
            f"{name} {value:g}"
            for name, value in (("tolerance", self.tolerance), ("absolute tolerance", self.absolute_tolerance))
            if value is not None
        ]
        parts += [f"segments {'; '.join(self.segments)}"] if self.segments else []
        return ", ".join(parts) or "default"


def _chosen(given: float | Default | None, before: float | None) -> float | None:
    if given is None:
        return before
    return None if given == "default" else given
