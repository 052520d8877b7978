"""Execution of a notebook by Papermill in a separate kernel.

Papermill's engine and nbclient's client do the work. This module adds the kernel's working directory and environment,
and the limits of ``client``. Slow to import: a third of a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.execute import remove_error_markers

from jupyter_deploy.domain.evidence.statistic import RECORDED

from .client import Watch, WatchedClient
from .kernels.launch import Launch, exit_text, kernel_managers
from .reader import number_of, plain

_SAVES = 1.0  # seconds between two saves during a run


class Cancelled(threading.Event):
    """An event that cancels executions from any thread; their kernels are shut down."""


@dataclass(frozen=True)
class Failure:
    """The cell at which an execution failed, by its number among the code cells, and its exception."""

    cell: int
    ename: str
    evalue: str
    traceback: str = ""
    index: int = 0


@dataclass
class Execution:
    """One notebook to execute.

    Attributes
    ----------
    document
        The notebook; it is modified.
    save
        Called with the document from time to time and at the end in every case.
    on_cell
        Called with the number and the index of each cell at its start.
    on_measured
        Called with a cell's number and each document that it displays by ``METRIC_MIME``, with its display id or
        None; the notebook stores the return value instead. A document belongs to the cell that runs at its arrival.
    on_step
        Called with a cell's number and the title of each step that an operation in it displays by ``PROGRESS_MIME``;
        the notebook does not store it.
    on_recorded
        Called at a cell's end with its number and the kernel's count of such documents.
    timeout
        Time limit of a cell in seconds.
    is_excused
        Whether the run continues after a cell raised, by its number, index and source, the exception's name and its
        message. Cells with the tag ``raises-exception`` always continue.
    """

    document: Any
    launch: Launch
    parameters: Mapping[str, Any] = field(default_factory=dict)
    language: str = "python"
    origin: str = ""
    output: str | None = None
    save: Callable[[Any], None] = lambda _: None
    on_cell: Callable[[int, int], None] = lambda *_: None
    on_measured: Callable[[int, str | None, Any], Any] = lambda *measured: measured[-1]
    on_step: Callable[[int, str], None] = lambda *_: None
    on_recorded: Callable[[int, int], None] = lambda *_: None
    is_excused: Callable[[int, int, str, str, str], bool] = lambda *_: False
    timeout: float | None = None
    cancelled: Cancelled = field(default_factory=Cancelled)


Status = Literal["done", "raised", "timeout", "died", "interrupted"]


@dataclass(frozen=True)
class Executed:
    """The result of an execution, with the failed cell and further details, if any."""

    document: Any
    status: Status
    failure: Failure | None = None
    detail: str = ""


def execute(execution: Execution) -> Executed:
    """Execute a notebook. Errors of cells are part of the result; callable from several threads at once."""
    for _ in range(2):
        run = _Run(execution)
        executed = run.execute()
        # A kernel's ports are chosen before it binds them: another process may have taken one.
        if executed.status != "died" or run.began:
            break
    return executed


class _Run:
    """The state of one execution that engine, manager and client share."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.document = execution.document
        self.failure: Failure | None = None
        self.watch = Watch(execution.cancelled, execution.timeout, execution.on_measured, execution.on_step)
        self.began = False

    def execute(self) -> Executed:
        execution = self.execution
        if execution.cancelled.is_set():
            return Executed(self.document, "interrupted")
        try:
            status, detail = self._status()
        finally:
            execution.save(self.document)
        return Executed(self.document, status, self.failure, detail)

    def _status(self) -> tuple[Status, str]:
        execution, died = self.execution, False
        try:
            papermill.execute_notebook(
                execution.document,
                None,  # nbdeploy writes it
                parameters=dict(execution.parameters),
                engine_name="nbdeploy",
                kernel_name=execution.launch.kernel,
                language=execution.language,
                progress_bar=False,
                run=self,
            )
        except PapermillExecutionError:
            pass  # also of cells that may raise
        except (DeadKernelError, RuntimeError):  # RuntimeError: the kernel did not start
            died = True
        if self.failure is None:
            remove_error_markers(self.document)  # of cells that may raise
        match self.watch.stopped:
            case "timeout":
                return "timeout", ""
            case "flood" | "lost":
                return "raised", ""
            case "cancelled":
                return "interrupted", ""
        if died:
            return "died", self._death_text()
        return ("raised" if self.failure else "done"), ""

    def _death_text(self) -> str:
        words = f"the kernel died: {exit_text(self.watch.exit_code)}"
        if not self.began:
            words = f"the kernel '{self.execution.launch.kernel}' did not start: {exit_text(self.watch.exit_code)}"
        elif self.failure is None:
            words = "the kernel ended after the last cell: check whether that cell ends its process"
        last = self.execution.launch.last_words()
        return f"{words}\n{last}" if last else words


class _Engine(Engine):  # type: ignore[misc]  # papermill has no types
    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, *, run: _Run, **_: Any) -> Any:
        execution = run.execution
        run.document = nb
        nb.metadata.papermill["input_path"] = execution.origin
        nb.metadata.papermill["output_path"] = execution.output
        manager = _Manager(nb, run)
        manager.notebook_start()
        try:
            client = WatchedClient(
                manager,
                run.watch,
                kernel_name=kernel_name,
                kernel_manager_class=kernel_managers(execution.launch),
                on_cell_start=manager.begins,
                on_cell_executed=manager.ended,
                startup_timeout=60,
            )
            client.execute()
        finally:
            manager.notebook_complete()
        return manager.nb


papermill_engines.register("nbdeploy", _Engine)


class _Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Papermill's cell metadata and saves."""

    def __init__(self, nb: Any, run: _Run) -> None:
        super().__init__(nb, progress_bar=False)
        self._run = run
        self._saved = time.monotonic()  # the first save is due after the first second

    def save(self, **_: Any) -> None:
        if time.monotonic() - self._saved >= _SAVES:
            self._run.execution.save(self.nb)
            self._saved = time.monotonic()

    def autosave_cell(self) -> None:
        """Save during a cell, as Papermill does, twice a minute."""
        if time.monotonic() - self._saved >= self.autosave_cell_every:
            self.save()

    def begins(self, cell: Any, cell_index: int) -> None:
        self._run.began = True
        if cell.cell_type == "code":
            self._run.execution.on_cell(number_of(self.nb, cell_index), cell_index)

    def ended(self, cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        reply, number = execute_reply["content"], number_of(self.nb, cell_index)
        for one in reply.get("payload", ()):
            if RECORDED in one:
                self._run.execution.on_recorded(number, one[RECORDED])
        if reply["status"] == "error" and self._run.execution.is_excused(
            number, cell_index, cell.source, reply["ename"], reply["evalue"]
        ):
            cell.metadata.setdefault("tags", []).append("raises-exception")

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_exception(cell=cell, cell_index=cell_index, **kwargs)
        error: Any = next((o for o in cell.get("outputs", []) if o.output_type == "error"), None)
        raised: Any = kwargs.get("exception")
        reported = error if error is not None and self._run.watch.stopped is None else raised or error
        ename, evalue = str(reported.ename), str(reported.evalue)
        index = cell_index or 0
        if ename == "SystemExit" and evalue in ("", "0"):
            return  # as in Papermill: the notebook ends the run here
        traceback = plain(error.traceback) if error else ""
        self._run.failure = Failure(number_of(self.nb, index), ename, plain([evalue]), traceback, index)
