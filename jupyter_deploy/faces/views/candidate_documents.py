"""The document of a choice among models, which a notebook's output holds and JupyterLab shows."""

from __future__ import annotations

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.model_selection.selection import ModelSelection

from .documents import Chart


class CandidateCell(Value):
    """A figure in words; ``range``: its interval, or the range of the rounds."""

    value: str
    range: str


class CandidateRow(Value):
    """A row of the table, in the table's order.

    Attributes
    ----------
    cells
        One for each of the view's columns.
    reasons
        The violated constraints, each with the row's figure.
    on_front
        No other row that meets the constraints has a better score, latency and cost.
    stable
        It is the endpoint's stable release, which is deployed already.
    """

    label: str
    tag: str
    cells: tuple[CandidateCell, ...]
    reasons: tuple[str, ...]
    on_front: bool
    stable: bool


class CandidateGroup(Value):
    """The score of one row in one subgroup."""

    label: str
    group: str
    rows: int
    score: str
    interval: str


class CandidatesView(Value):
    """A choice among models as JupyterLab shows it.

    Attributes
    ----------
    figures
        The names that constraints may have.
    table
        The data, which a deploy takes.
    """

    headline: str
    columns: tuple[str, ...]
    rows: tuple[CandidateRow, ...]
    groups: tuple[CandidateGroup, ...]
    facts: dict[str, str]
    figures: tuple[str, ...]
    chart: Chart
    table: ModelSelection
