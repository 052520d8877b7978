"""Whether the notebook, run from top to bottom, would give the model that the kernel has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.masking.masking import masked
from jupyter_deploy.notebooks.syntax import Statement, statements_of, statements_run, stored

from .lineage import Program, Value, values_behind
from .subject import Glanced

_SAID = 3  # findings of one look; the first one says where to begin
_QUOTED = 60

_AGAIN = "restart the kernel, run all cells from the top, and deploy again"


@dataclass(frozen=True)
class FileCell:
    """A code cell of the notebook's file; ``count`` is what stands in its brackets, None where it never ran."""

    source: str
    count: int | None


def stale_kernel(subject: Glanced) -> Iterator[Finding]:
    """Check ``stale-kernel``: the variable as the kernel's executed cells made it against the notebook's own cells.

    Only what the model was made of counts: a plot that ran again or a cell that was edited beside it is none.
    """
    live = subject.live
    path = Path(live.source.notebook) if live.source.notebook else None
    cells = file_cells(path) if path else None
    if not cells or not live.cells or not live.source.variable:
        return
    ran = statements_run(live.cells, live.failed)
    stands = statements_of(cell.source for cell in cells)
    try:
        kernel = Program(ran, live.namespace).value_of(live.source.variable)
        # The same line may deploy at several places: the model may be that of any of them.
        for upto in _deploys(cells, live.cells) if live.in_cell else _clicked(cells, live.cells):
            notebook = Program([s for s in stands if s.cell <= upto], live.namespace).value_of(live.source.variable)
            if kernel.number == notebook.number:
                return
    except (SyntaxError, RecursionError):  # an expression or a program that nobody can follow
        return
    yield from _Difference(live, cells, ran, stands, kernel=kernel, notebook=notebook).findings()


def file_cells(path: Path) -> list[FileCell] | None:
    """The code cells of a notebook's file; None if it cannot be read."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return [
            FileCell("".join(cell["source"]), cell.get("execution_count"))
            for cell in document["cells"]
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _deploys(cells: Sequence[FileCell], executed: Sequence[str]) -> list[int]:
    """The numbers of the cells with the source of the one that deploys, else of the last one; the likeliest last.

    From top to bottom, the second of them is the second that was executed.
    """
    deploy = executed[-1].strip()
    places = [number for number, cell in enumerate(cells, 1) if cell.source.strip() == deploy]
    times = sum(source.strip() == deploy for source in executed)
    likeliest = places[min(times, len(places)) - 1] if places else len(cells)
    return [*(place for place in places if place != likeliest), likeliest]


def _clicked(cells: Sequence[FileCell], executed: Sequence[str]) -> list[int]:
    """The same where no cell deploys: at the end, after the cell that ran last, or after the lowest one that ran."""
    ran = {source.strip() for source in executed}
    lowest = max((number for number, cell in enumerate(cells, 1) if cell.source.strip() in ran), default=len(cells))
    last = (number for number, cell in enumerate(cells, 1) if cell.source.strip() == executed[-1].strip())
    return [len(cells), *last, lowest]


class _Difference:
    """Why the kernel's value is not the notebook's, in words."""

    def __init__(
        self,
        live: Live,
        cells: Sequence[FileCell],
        ran: Sequence[Statement],
        stands: Sequence[Statement],
        *,
        kernel: Value,
        notebook: Value,
    ) -> None:
        self._live, self._cells, self._ran = live, cells, ran
        self._kernel, self._notebook = values_behind(kernel), values_behind(notebook)
        self._in_kernel = _texts(self._kernel.values())
        self._in_notebook = _texts(self._notebook.values())
        self._in_file = {statement.text for statement in stands}
        self._variable = live.source.variable or "the model"

    def findings(self) -> Iterator[Finding]:
        """At most ``_SAID``, of the kind that explains the others."""
        unsaved = [s for s in self._gone() if not self._was_saved_after(s)]
        if unsaved:
            cell = unsaved[0].cell
            yield Finding(
                check="stale-kernel",
                severity="note",
                message=f"the notebook, as last saved, does not have In [{cell}] ({_quoted(unsaved[0])}), of which "
                f"{self._variable} was made, so it cannot be told whether it would give this model",
                remedy="save the notebook and deploy again, to have that looked at",
                cell=cell,
            )
            return
        found = [*self._edited(), *self._never_ran()]  # the rest may follow from these
        found = found or [*self._misplaced()] or [*self._repeated()] or [*self._other_order()]
        for words, number in found[:_SAID] or [("cells ran in another order", None)]:
            yield Finding(
                check="stale-kernel",
                severity="warning",
                message=f"from top to bottom, the notebook as last saved would not give this {self._variable}: {words}",
                remedy=_AGAIN,
                cell=number,
            )

    def _gone(self) -> list[Statement]:
        """What the kernel's value was made by and the file does not have."""
        return [s for s in self._in_kernel.values() if s.text not in self._in_file]

    def _edited(self) -> Iterator[tuple[str, int | None]]:
        for statement in self._gone():
            cell = next((c for c in self._cells if c.count == statement.cell), None)
            what = "was edited after it ran" if cell else "is no longer in the notebook"
            yield f"In [{statement.cell}] ({_quoted(statement)}) {what}", statement.cell

    def _never_ran(self) -> Iterator[tuple[str, int | None]]:
        """What the notebook would use and no executed cell has; of an edited cell it is said already."""
        executed = {statement.text for statement in self._ran}
        gone = {name for statement in self._gone() for name in stored(statement.tree)}
        for text, statement in self._in_notebook.items():
            if text not in executed and not gone & set(stored(statement.tree)):
                yield f"its cell {statement.cell} ({_quoted(statement)}) was not run, or not to its end", None

    def _misplaced(self) -> Iterator[tuple[str, int | None]]:
        """What one of the two uses and the other, though it has it, does not; first what only ran too late."""
        made = max((s.cell for s in self._in_kernel.values()), default=0)
        executed = {statement.text: statement.cell for statement in self._ran}
        unused = [(executed[text], s) for text, s in self._in_notebook.items() if text not in self._in_kernel]
        for number, statement in unused:
            if number > made:
                words = f"{self._variable} was made in In [{made}], before In [{number}] ({_quoted(statement)}) ran"
                yield f"{words}; from top to bottom it would be made after", number
        for text, statement in self._in_kernel.items():
            if text not in self._in_notebook:
                words = f"In [{statement.cell}] ({_quoted(statement)}) had a part in it"
                yield f"{words}, and where it stands in the notebook it would have none", statement.cell
        for number, statement in unused:
            if number <= made:
                yield f"In [{number}] ({_quoted(statement)}) has no part in it here, by the order of the runs", number

    def _repeated(self) -> Iterator[tuple[str, int | None]]:
        for text in self._in_kernel:
            here, there = (
                [v.statement for v in values.values() if v.statement and v.statement.text == text]
                for values in (self._kernel, self._notebook)
            )
            numbers = sorted({statement.cell for statement in here})
            if len(here) > len(there) and len(numbers) > 1:
                where = " and ".join(f"In [{number}]" for number in numbers)
                yield f"{_quoted(here[0])} ran {len(here)} times ({where}), and what it does adds up", numbers[-1]

    def _other_order(self) -> Iterator[tuple[str, int | None]]:
        """Where the two part: a statement that read other values than it would."""
        for number, value in self._kernel.items():
            if value.statement is None or number in self._notebook:
                continue
            if any(part.number not in self._notebook for _, part in value.made_of if part.statement):
                continue
            text = value.statement.text
            twin = next((v for v in self._notebook.values() if v.statement and v.statement.text == text), None)
            would = {name: part.number for name, part in twin.made_of} if twin else {}
            for name, part in value.made_of:
                if name and would.get(name) != part.number:
                    made = (
                        f"of In [{part.statement.cell}] ({_quoted(part.statement)})" if part.statement else "of before"
                    )
                    cell = value.statement.cell
                    yield (
                        f"In [{cell}] ({_quoted(value.statement)}) used the '{name}' {made}; there it would be another",
                        cell,
                    )
                    break

    def _was_saved_after(self, statement: Statement) -> bool:
        """Whether the file is younger than the run of this cell: it has that cell's number, or a later one.

        Numbers of an earlier kernel say nothing: such a file is older than this process.
        """
        counts = [cell.count for cell in self._cells if cell.count is not None]
        if not counts or statement.cell > max(counts):
            return False
        import psutil  # only where something was found

        return Path(self._live.source.notebook or "").stat().st_mtime > psutil.Process().create_time()


def _texts(values: Iterable[Value]) -> dict[str, Statement]:
    return {value.statement.text: value.statement for value in values if value.statement is not None}


def _quoted(statement: Statement) -> str:
    first = masked(statement.text)[0].partition("\n")[0]  # before it is cut, or half of a secret would be left
    return f"`{first if len(first) <= _QUOTED else first[: _QUOTED - 1] + '…'}`"
