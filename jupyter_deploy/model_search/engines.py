"""The engines of a search, by entry points in the group ``nbdeploy.search_engines``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import Task, Trial
from jupyter_deploy.system.entry_points import entry_points, load

from .families import Family

GROUP = "nbdeploy.search_engines"

Evaluate = Callable[[Family, Mapping[str, Any]], Trial | None]
"""Tries a family with parameters; None: the time is over. The same model a second time costs nothing."""


@dataclass(frozen=True)
class SearchProblem:
    """What an engine may know of a search.

    Attributes
    ----------
    metric
        Its name, without ``neg_``.
    rows, label
        The training rows as a data frame, and their label: an engine that trains models by itself uses them.
    seconds
        Until the end of the search; None: the caller ends it.
    """

    task: Task
    metric: str
    greater_is_better: bool
    seed: int
    rows: Any
    label: Any
    seconds: float | None


class SearchEngine(Protocol):
    """Chooses the parameters to try. An entry point names the class, which takes no arguments."""

    def prepare(self) -> None:
        """Make the engine's library available, before the table is read.

        Raises InvalidInput: it is missing.
        """

    def trials(self, families: Sequence[Family], problem: SearchProblem, evaluate: Evaluate) -> Iterator[Trial]:
        """Yield trials that ``evaluate`` made, until it returns None or nothing is left to try.

        The same seed must lead to the same trials, whatever their duration.
        """


def engine_of(name: str) -> SearchEngine:
    """Return an engine by name. Raises InvalidInput: there is none."""
    known = entry_points(GROUP)
    if name not in known:
        raise InvalidInput(f"there is no search engine '{name}'", f"the engines are: {', '.join(sorted(known))}")
    engine: SearchEngine = load(known[name])()
    return engine
