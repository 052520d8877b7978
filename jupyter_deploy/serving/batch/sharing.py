"""One batch by several pods: which partitions each one scores, and their progress in words. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """The share of one of ``pods`` processes in a run; ``index`` begins with 0."""

    index: int
    pods: int

    def of(self, plan: Json, run: str) -> list[dict[str, Any]]:
        """Return the partitions of a plan that this pod scores.

        They are dealt by their bytes, the largest first, each to the pod with the fewest. What was scored before the
        run is not dealt, so that a pod that starts again in the run has the same share.

        Parameters
        ----------
        plan
            ``partitions``, and by key those of the sink: ``committed``, ``staged``.
        run
            The name that partitions which were scored in this run bear.
        """
        before = {key for state in ("committed", "staged") for key, one in plan[state].items() if one.get("run") != run}
        new = [one for one in plan["partitions"] if one["key"] not in before]
        loads = [0] * self.pods
        own = set()
        for one in sorted(new, key=lambda one: (-one["bytes"], one["key"])):
            pod = loads.index(min(loads))
            loads[pod] += max(1, one["bytes"])
            if pod == self.index:
                own.add(one["key"])
        return [one for one in new if one["key"] in own]


def progress_in_words(pods: Sequence[Json]) -> str:
    """Return the progress of one process or of several, each as ``Progress.progress`` returns it."""
    total = {name: sum(one[name] for one in pods) for name in ("finished", "partitions", "rows", "rate", "refused")}
    words = f"{total['finished']} of {total['partitions']} partitions, {total['rows']:,} rows"
    words += f", {total['rate']:,.0f} a second"
    left = [one["left"] for one in pods if one["left"] is not None]
    if left:
        words += f", {_duration(max(left))} left"
    words += f", {total['refused']:,} refused" if total["refused"] else ""
    return f"{words}, by {len(pods)} pods" if len(pods) > 1 else words


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
