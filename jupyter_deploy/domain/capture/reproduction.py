"""Reproduction of a model by a new run of its notebook: the cells behind the model, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value


class Reproduction(Value):
    """The result of a new run, in a clean environment, of the cells behind a snapshot."""

    snapshot: str
    outcome: Literal["reproduced", "differs"]
    differences: tuple[str, ...] = Field(default=(), description="Differences of the answers to the example, by row.")
    raised: tuple[str, ...] = Field(
        default=(),
        description="Cells that raised. The run continues: a cell may need the result of a skipped deploy.",
    )
    stochastic: bool = Field(
        default=False, description="The model is stochastic, and its answers lie within the same spread."
    )
    instances: int = Field(description="The number of instances in the example.")
    ran: Literal["notebook", "executed cells"] = Field(
        description="The notebook's current cells; or, if its file is missing, the executed cells."
    )
    notebook: str | None = None
    changed: tuple[str, ...] = Field(default=(), description="Cells that differ from those behind the model.")
    python: str
    distributions: int = Field(description="The number of distributions in the environment.")


def cells_to_click(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """Return a notebook's cells up to the lowest that had been executed at a deploy outside the cells."""
    ran = {cell.strip() for cell in executed}
    positions = [position for position, cell in enumerate(cells, 1) if cell.strip() in ran]
    return tuple(cells[: max(positions, default=len(cells))])


def cells_to_deploy(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """Return a notebook's cells up to the cell that deployed, the last executed one; all cells if it is missing.

    Cells below it were not executed at that time and may change the variable. If a cell occurs several times, its
    number of executions selects the occurrence.
    """
    last = executed[-1].strip() if executed else None
    positions = [position for position, cell in enumerate(cells) if cell.strip() == last]
    if not positions:
        return tuple(cells)
    times = sum(cell.strip() == last for cell in executed)
    return tuple(cells[: positions[min(times, len(positions)) - 1] + 1])


def changed_cells(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """Describe the cells that changed since the execution, and the executed cells that are missing."""
    stand, ran = {cell.strip() for cell in cells}, {cell.strip() for cell in executed}
    new = [
        f"cell {number} was not executed as it stands now: {_first_line(cell)}"
        for number, cell in enumerate(cells, 1)
        if cell.strip() and cell.strip() not in ran
    ]
    missing = [
        f"In [{count}] is not in the notebook now: {_first_line(cell)}"
        for count, cell in enumerate(executed, 1)
        if cell.strip() and cell.strip() not in stand
    ]
    return (*new, *missing)


def without_values(executed: Sequence[str]) -> tuple[str, ...]:
    """Describe the executed cells that are stored without a secret, and so run without it."""
    return tuple(
        f"In [{count}] runs with *** in place of a secret, since snapshots hold no secrets: {_first_line(cell)}"
        for count, cell in enumerate(executed, 1)
        if "***" in cell
    )


def _first_line(cell: str, limit: int = 60) -> str:
    line = cell.strip().partition("\n")[0]
    return line if len(line) <= limit else f"{line[: limit - 2]} …"
