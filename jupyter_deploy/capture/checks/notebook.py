"""The check for a stale kernel: whether the notebook, run from top to bottom, would produce the kernel's model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.masking.masking import masked
from jupyter_deploy.notebooks.syntax import Statement, statements_of, statements_run, stored

from .candidate import LiveCandidate
from .lineage import Program, Value, values_behind

_SAID = 3  # findings at most; the first one says where to begin
_QUOTED = 60

_AGAIN = "restart the kernel, run all cells from the top, and deploy again"


@dataclass(frozen=True)
class FileCell:
    """A code cell of the notebook's file; ``count`` is its execution count, None if it never ran."""

    source: str
    count: int | None


def stale_kernel(candidate: LiveCandidate) -> Iterator[Finding]:
    """Check ``stale-kernel``: compare the variable's lineage in the executed cells and in the notebook's cells.

    Only the model's lineage counts: a repeated plot or an edited unrelated cell is no finding.
    """
    live = candidate.live
    path = Path(live.source.notebook) if live.source.notebook else None
    cells = file_cells(path) if path else None
    if not cells or not live.python_cells or not live.source.variable:
        return
    ran = statements_run(live.cells, live.failed)
    stands = statements_of(cell.source for cell in cells)
    try:
        kernel = Program(ran, live.namespace).value_of(live.source.variable)
        # The same line may deploy in several cells; the model may come from any of them.
        for upto in _deploys(cells, live.cells) if live.in_cell else _clicked(cells, live.cells):
            notebook = Program([s for s in stands if s.cell <= upto], live.namespace).value_of(live.source.variable)
            if kernel.number == notebook.number:
                return
    except (SyntaxError, RecursionError):  # code that cannot be analysed
        return
    yield from _Difference(live, cells, ran, stands, kernel=kernel, notebook=notebook).findings()


def file_cells(path: Path) -> list[FileCell] | None:
    """Return the code cells of a notebook's file; None if it cannot be read."""
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
    """Return the numbers of the cells equal to the one that deployed, else of the last one; the likeliest last.

    From top to bottom, the second occurrence is the second execution.
    """
    deploy = executed[-1].strip()
    positions = [number for number, cell in enumerate(cells, 1) if cell.source.strip() == deploy]
    times = sum(source.strip() == deploy for source in executed)
    likeliest = positions[min(times, len(positions)) - 1] if positions else len(cells)
    return [*(position for position in positions if position != likeliest), likeliest]


def _clicked(cells: Sequence[FileCell], executed: Sequence[str]) -> list[int]:
    """Return the numbers for a deploy outside the cells: the end, the last executed cell, the lowest executed cell."""
    ran = {source.strip() for source in executed}
    lowest = max((number for number, cell in enumerate(cells, 1) if cell.source.strip() in ran), default=len(cells))
    last = (number for number, cell in enumerate(cells, 1) if cell.source.strip() == executed[-1].strip())
    return [len(cells), *last, lowest]


class _Difference:
    """The reasons why the kernel's value differs from the notebook's, in words."""

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
        """Return at most ``_SAID`` findings, of the kind that explains the others."""
        unsaved = [s for s in self._gone() if not self._was_saved_after(s)]
        if unsaved:
            cell = unsaved[0].cell
            yield Finding(
                check="stale-kernel",
                severity="note",
                message=f"the saved notebook lacks In [{cell}] ({_quoted(unsaved[0])}), the source of "
                f"{self._variable}: it is unknown whether the notebook would produce this model",
                remedy="save the notebook and deploy again",
                cell=cell,
            )
            return
        reasons = [*self._edited(), *self._never_ran()]  # the other kinds may follow from these
        reasons = reasons or [*self._misplaced()] or [*self._repeated()] or [*self._other_order()]
        for words, number in reasons[:_SAID] or [("cells ran in another order", None)]:
            yield Finding(
                check="stale-kernel",
                severity="warning",
                message=f"the saved notebook, run from top to bottom, would not produce this {self._variable}: {words}",
                remedy=_AGAIN,
                cell=number,
            )

    def _gone(self) -> list[Statement]:
        """Return the statements behind the kernel's value that the file lacks."""
        return [s for s in self._in_kernel.values() if s.text not in self._in_file]

    def _edited(self) -> Iterator[tuple[str, int | None]]:
        for statement in self._gone():
            cell = next((c for c in self._cells if c.count == statement.cell), None)
            state = "was edited after it ran" if cell else "is no longer in the notebook"
            yield f"In [{statement.cell}] ({_quoted(statement)}) {state}", statement.cell

    def _never_ran(self) -> Iterator[tuple[str, int | None]]:
        """Yield statements that the notebook would run and no executed cell contains, apart from edited cells."""
        executed = {statement.text for statement in self._ran}
        gone = {name for statement in self._gone() for name in stored(statement.tree)}
        for text, statement in self._in_notebook.items():
            if text not in executed and not gone & set(stored(statement.tree)):
                yield f"its cell {statement.cell} ({_quoted(statement)}) was not run, or not to its end", None

    def _misplaced(self) -> Iterator[tuple[str, int | None]]:
        """Yield statements with a part in only one of the two values; those that ran too late come first."""
        made = max((s.cell for s in self._in_kernel.values()), default=0)
        executed = {statement.text: statement.cell for statement in self._ran}
        unused = [(executed[text], s) for text, s in self._in_notebook.items() if text not in self._in_kernel]
        for number, statement in unused:
            if number > made:
                words = f"{self._variable} was made in In [{made}], before In [{number}] ({_quoted(statement)}) ran"
                yield f"{words}; from top to bottom it would be made after that", number
        for text, statement in self._in_kernel.items():
            if text not in self._in_notebook:
                words = f"In [{statement.cell}] ({_quoted(statement)}) contributed to it"
                yield f"{words}, but would not at its position in the notebook", statement.cell
        for number, statement in unused:
            if number <= made:
                yield f"In [{number}] ({_quoted(statement)}) did not contribute to it in the kernel", number

    def _repeated(self) -> Iterator[tuple[str, int | None]]:
        for text in self._in_kernel:
            in_kernel, in_notebook = (
                [v.statement for v in values.values() if v.statement and v.statement.text == text]
                for values in (self._kernel, self._notebook)
            )
            numbers = sorted({statement.cell for statement in in_kernel})
            if len(in_kernel) > len(in_notebook) and len(numbers) > 1:
                where = " and ".join(f"In [{number}]" for number in numbers)
                yield (
                    f"{_quoted(in_kernel[0])} ran {len(in_kernel)} times ({where}), and its effect accumulates",
                    numbers[-1],
                )

    def _other_order(self) -> Iterator[tuple[str, int | None]]:
        """Yield the first difference: a statement that read other values than it would."""
        for number, value in self._kernel.items():
            if value.statement is None or number in self._notebook:
                continue
            if any(part.number not in self._notebook for _, part in value.made_of if part.statement):
                continue
            text = value.statement.text
            twin = next((v for v in self._notebook.values() if v.statement and v.statement.text == text), None)
            expected = {name: part.number for name, part in twin.made_of} if twin else {}
            for name, part in value.made_of:
                if name and expected.get(name) != part.number:
                    origin = (
                        f"of In [{part.statement.cell}] ({_quoted(part.statement)})" if part.statement else "of before"
                    )
                    cell = value.statement.cell
                    yield (
                        f"In [{cell}] ({_quoted(value.statement)}) used the '{name}' {origin}; there it would differ",
                        cell,
                    )
                    break

    def _was_saved_after(self, statement: Statement) -> bool:
        """Whether the file was saved after this cell ran: it holds the cell's execution count, or a later one.

        Execution counts of an earlier kernel do not count: such a file is older than this process.
        """
        counts = [cell.count for cell in self._cells if cell.count is not None]
        if not counts or statement.cell > max(counts):
            return False
        import psutil

        return Path(self._live.source.notebook or "").stat().st_mtime > psutil.Process().create_time()


def _texts(values: Iterable[Value]) -> dict[str, Statement]:
    return {value.statement.text: value.statement for value in values if value.statement is not None}


def _quoted(statement: Statement) -> str:
    first = masked(statement.text)[0].partition("\n")[0]  # masked before it is cut, or half of a secret would remain
    return f"`{first if len(first) <= _QUOTED else first[: _QUOTED - 1] + '…'}`"
