"""The view of a choice among models: the table, the chart, and the rows that constraints leave."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.model_selection.constraints import constrained, figure_names, split_constraints, violations
from jupyter_deploy.domain.model_selection.selection import STABLE, CandidateModel, ModelSelection
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.render.charts.model_selection import selection_chart
from jupyter_deploy.faces.render.model_selection_columns import (
    Column,
    between,
    performance_columns,
    score_columns,
)
from jupyter_deploy.faces.render.model_selection_page import facts_of, headline

from .candidate_documents import CandidateCell, CandidateGroup, CandidateRow, CandidatesView
from .requests import CandidatesViewRequest


def candidates(request: CandidatesViewRequest, _ports: Ports) -> CandidatesView:
    """Show a table under the request's constraints. Raises InvalidInput: one of them is none of this table."""
    return candidates_view(constrained(request.table, split_constraints(request.constraints)))


def candidates_view(table: ModelSelection) -> CandidatesView:
    """Show a table as it is."""
    columns = [*score_columns(table), *performance_columns(table)]
    return CandidatesView(
        headline=headline(table),
        columns=tuple(column.title for column in columns),
        rows=tuple(_row(row, columns, table.metric) for row in table.candidates),
        groups=tuple(_groups(table.candidates)),
        facts=dict(facts_of(table)),
        figures=figure_names(table),
        chart=selection_chart(table),
        table=table,
    )


def _row(row: CandidateModel, columns: Sequence[Column], metric: str) -> CandidateRow:
    cells = (column.cell(row) for column in columns)
    return CandidateRow(
        label=row.label,
        tag=row.tag,
        cells=tuple(CandidateCell(value=cell.value, range=cell.range) for cell in cells),
        reasons=violations(row, metric),
        on_front=row.on_front,
        stable=row.name == STABLE,
    )


def _groups(rows: Sequence[CandidateModel]) -> list[CandidateGroup]:
    return [
        CandidateGroup(
            label=row.label,
            group=", ".join(f"{name}={value}" for name, value in one.group.items()),
            rows=one.rows,
            score=f"{one.score.value:.4g}",
            interval=between(one.score.interval) or one.score.why,
        )
        for row in rows
        for one in row.groups
    ]
