"""A notebook run again: which of its cells made a model, and whether they still make the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value


class Reproduction(Value):
    """What came of running again, in a clean environment, what had made a snapshot."""

    snapshot: str
    outcome: Literal["reproduced", "differs"]
    differences: tuple[str, ...] = Field(default=(), description="Where the answers on the example part, row by row.")
    raised: tuple[str, ...] = Field(
        default=(),
        description="Cells that raised. They stop nothing: some may need what a left-out deploy returns.",
    )
    stochastic: bool = Field(
        default=False, description="Asked twice, it answers differently: its answers lie within the same spread."
    )
    instances: int = Field(description="How many the example has.")
    ran: Literal["notebook", "executed cells"] = Field(
        description="The notebook's cells as they are now; or, where its file is gone, those that were executed."
    )
    notebook: str | None = None
    changed: tuple[str, ...] = Field(default=(), description="Which cells are not those that made the model.")
    python: str
    distributions: int = Field(description="How many the environment was made of.")


def cells_to_click(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """A notebook's cells up to the lowest that had been executed when somebody deployed beside them."""
    ran = {cell.strip() for cell in executed}
    places = [place for place, cell in enumerate(cells, 1) if cell.strip() in ran]
    return tuple(cells[: max(places, default=len(cells))])


def cells_to_deploy(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """A notebook's cells up to the one that deployed, which was the last to be executed; all, if it is not there.

    What stands further down was not executed then, and may give the variable another value. A cell that stands more
    than once is meant as often as it was executed.
    """
    last = executed[-1].strip() if executed else None
    places = [place for place, cell in enumerate(cells) if cell.strip() == last]
    if not places:
        return tuple(cells)
    times = sum(cell.strip() == last for cell in executed)
    return tuple(cells[: places[min(times, len(places)) - 1] + 1])


def changed_cells(cells: Sequence[str], executed: Sequence[str]) -> tuple[str, ...]:
    """In words, which cells were not executed as they stand, and which executed ones do not stand there any more."""
    stand, ran = {cell.strip() for cell in cells}, {cell.strip() for cell in executed}
    new = [
        f"cell {number} was not executed as it stands now: {_first_line(cell)}"
        for number, cell in enumerate(cells, 1)
        if cell.strip() and cell.strip() not in ran
    ]
    gone = [
        f"In [{count}] is not in the notebook now: {_first_line(cell)}"
        for count, cell in enumerate(executed, 1)
        if cell.strip() and cell.strip() not in stand
    ]
    return (*new, *gone)


def without_values(executed: Sequence[str]) -> tuple[str, ...]:
    """In words, which executed cells are kept without a secret of theirs, so that they run without it too."""
    return tuple(
        f"In [{count}] runs with *** in the place of a secret, which no snapshot keeps: {_first_line(cell)}"
        for count, cell in enumerate(executed, 1)
        if "***" in cell
    )


def _first_line(cell: str, limit: int = 60) -> str:
    line = cell.strip().partition("\n")[0]
    return line if len(line) <= limit else f"{line[: limit - 2]} …"
