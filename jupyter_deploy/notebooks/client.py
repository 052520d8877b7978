"""The client that executes a notebook's cells: nbclient's, with cancellation and bounded output.

It stops a cell that runs too long or prints too much, can be cancelled from another thread, and records the kernel's
exit. Slow to import: a third of a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import nbformat
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async, run_sync
from papermill.clientwrap import PapermillNotebookClient

from jupyter_deploy.domain.evidence.statistic import METRIC_MIME
from jupyter_deploy.domain.progress import PROGRESS_MIME

from .kernels.launch import LARGEST, exit_text
from .reader import number_of

TEXT = 1024**2
"""Characters of one cell's printed output that a notebook stores."""

SHOWN = 32 * 1024**2
"""Characters of one cell's displayed output that a notebook stores; four times as many of all cells."""

FLOOD = LARGEST
"""Characters of output at which a cell is stopped."""

_OUTPUTS = 2000  # of one cell
_TITLE = 200  # characters of a step's title
_POLL = 0.1  # seconds until a death, a timeout or a cancellation is noticed
_GRACE = 2.0  # seconds that an interrupted cell may take to end

_NEVER = 10**9
_LATE = 4.0  # seconds after a cell's end without any output, after which none is expected


_logger = logging.getLogger("papermill")
_logger.addHandler(logging.NullHandler())  # nbdeploy reports errors itself


@dataclass
class Watch:
    """Limits and results of one client.

    Attributes
    ----------
    cancelled
        Set from any thread to cancel the execution.
    timeout
        Time limit of a cell in seconds.
    on_measured, on_step
        See ``Execution``.
    stopped
        The reason for which the client stopped a cell, if any.
    exit_code
        The kernel's exit code, if it ended by itself.
    """

    cancelled: threading.Event
    timeout: float | None
    on_measured: Callable[[int, str | None, Any], Any]
    on_step: Callable[[int, str], None]
    stopped: Literal["timeout", "flood", "lost", "cancelled"] | None = None
    exit_code: int | None = None


class WatchedClient(PapermillNotebookClient):  # type: ignore[misc]
    """One kernel's client with cancellation and bounded output."""

    def __init__(self, manager: Any, watch: Watch, **options: Any) -> None:
        # Replaces Papermill's time limits of cells: see _watched and _while_they_come.
        super().__init__(manager, timeout=None, iopub_timeout=_NEVER, log=_logger, **options)
        self._watch = watch
        self._stored_total = self._arrived = 0
        self._stored_text = self._stored_display = self._received = 0
        self._cut = False

    async def async_start_new_kernel_client(self) -> Any:
        return await self._watched(super().async_start_new_kernel_client(), None)

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def async_execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        self._stored_text = self._stored_display = self._received = 0
        self._cut = False
        try:
            return await self._watched(
                super().async_execute_cell(cell, cell_index, **options), self._watch.timeout, cell=cell
            )
        except CellTimeoutError as error:  # its last outputs did not arrive
            self._watch.stopped = self._watch.stopped or "lost"
            self.shutdown_kernel = "immediate"
            self._record_failure(cell, cell_index)
            raise DeadKernelError("outputs were lost") from error
        except DeadKernelError:
            self._record_failure(cell, cell_index)
            raise

    execute_cell = run_sync(async_execute_cell)

    def _record_failure(self, cell: Any, index: int) -> None:
        """Record the error in the cell's outputs: its kernel cannot do that."""
        ename, words = self._failure()
        cell.outputs.append(nbformat.v4.new_output("error", ename=ename, evalue=words, traceback=[words]))
        self.nb_man.cell_exception(cell, cell_index=index)

    def _failure(self) -> tuple[str, str]:
        match self._watch.stopped:
            case "timeout":
                return "Timeout", f"the cell ran longer than {self._watch.timeout:g} s"
            case "flood":
                return "TooMuchOutput", f"the cell's output exceeds {FLOOD // 1024**2} MiB"
            case "lost":
                cause = f"more than {FLOOD // 1024**2} MiB at once, or faster than the client reads"
                return "TooMuchOutput", f"output of the cell was lost: {cause}"
            case "cancelled":
                return "Interrupted", "the cell was interrupted"
        return "KernelDied", f"the kernel died: {exit_text(self._watch.exit_code)}"

    async def _watched(self, work: Coroutine[Any, Any, Any], seconds: float | None, cell: Any = None) -> Any:
        """Wait for the work and end it on timeout, cancellation or the kernel's death."""
        watch, began, manager = self._watch, time.monotonic(), self.km
        task = asyncio.ensure_future(work)
        while not task.done() and watch.stopped is None:
            await asyncio.wait({task}, timeout=_POLL)
            process = manager.provisioner
            if watch.cancelled.is_set():
                watch.stopped = "cancelled"
            elif seconds is not None and time.monotonic() - began > seconds and not task.done():
                watch.stopped = "timeout"
            elif process is not None and process.has_process:
                watch.exit_code = await process.poll()  # None: alive
        if watch.stopped is None:
            return await task
        self.shutdown_kernel = "immediate"
        await _end(task, manager)
        with suppress(CellExecutionError):  # the interrupt's own error
            await task
        if cell is None:
            raise DeadKernelError("ended before its first cell")
        raise CellExecutionError("", *self._failure())

    async def _async_poll_for_reply(
        self, msg_id: str, cell: Any, _: None, outputs: asyncio.Future[Any], alive: asyncio.Future[Any]
    ) -> Any:
        late = self._await_outputs(outputs)
        try:
            return await super()._async_poll_for_reply(msg_id, cell, None, late, alive)
        finally:
            late.close()  # a stopped cell has no reply, so its later output is dropped

    async def _await_outputs(self, outputs: asyncio.Future[Any]) -> None:
        """Wait for the last output of an ended cell, as long as other output keeps arriving."""
        while not outputs.done():
            before = self._arrived
            await asyncio.wait({outputs}, timeout=_LATE)
            if not outputs.done() and self._arrived == before:
                raise TimeoutError("its last outputs did not arrive")
        await outputs

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Replace nbclient's method: measurements belong to the running cell, whichever task or thread made them."""
        with suppress(CellExecutionComplete):
            while True:
                msg = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
                self._arrived += 1
                documents = msg["content"].get("data") or {}
                if PROGRESS_MIME in documents:
                    self._watch.on_step(number_of(self.nb, cell_index), _title(documents.pop(PROGRESS_MIME)))
                measured = METRIC_MIME in documents
                if measured or msg["parent_header"].get("msg_id") == parent_msg_id:
                    self.process_message(msg, cell, cell_index)

    def process_message(self, msg: Mapping[str, Any], cell: Any, cell_index: int) -> Any:
        content, kind = msg["content"], msg["msg_type"]
        if kind in ("status", "execute_input", "clear_output"):
            return super().process_message(msg, cell, cell_index)
        self._received += _size(content) + sum(len(buffer) for buffer in msg.get("buffers", ()))
        if self._received > FLOOD:
            self._watch.stopped = self._watch.stopped or "flood"
            return self._mark_incomplete(cell)
        documents = content.get("data")
        if isinstance(documents, dict) and METRIC_MIME in documents:
            number, display_id = number_of(self.nb, cell_index), (content.get("transient") or {}).get("display_id")
            documents[METRIC_MIME] = self._watch.on_measured(number, display_id, documents[METRIC_MIME])
        size = _size(content)
        if self._stored_total + size > 4 * SHOWN or len(cell.outputs) >= _OUTPUTS:
            return self._mark_incomplete(cell)
        if kind == "stream":
            return self._print(msg, cell, cell_index)
        if kind == "error":
            content["evalue"] = content["evalue"][:TEXT]
        self._stored_display += size
        if self._stored_display > SHOWN:
            return self._mark_incomplete(cell)
        self._stored_total += size
        return super().process_message(msg, cell, cell_index)

    def _print(self, msg: Mapping[str, Any], cell: Any, cell_index: int) -> Any:
        """Append to printed output, as Jupyter does.

        nbclient's own method (``coalesce_streams``) takes minutes for a megabyte without a newline.
        """
        content = msg["content"]
        length = len(content["text"])
        content["text"] = content["text"][: TEXT - self._stored_text]
        stored = len(content["text"])
        self._stored_text += stored
        self._stored_total += stored
        out, last = None, cell.outputs[-1] if cell.outputs else None
        hooked = self.output_hook_stack.get(msg["parent_header"].get("msg_id")) or self.clear_before_next_output
        if last is not None and not hooked and last.output_type == "stream" and last.name == content["name"]:
            last.text += content["text"]
            self.nb_man.autosave_cell()
        elif stored:
            out = super().process_message(msg, cell, cell_index)
        if stored < length:
            self._mark_incomplete(cell)
        return out

    def _mark_incomplete(self, cell: Any) -> None:
        """Note once in the notebook that a cell's output is incomplete."""
        if not self._cut:
            self._cut = True
            words = "\n[nbdeploy: the rest of the cell's output is left out]\n"
            cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text=words))


async def _end(task: asyncio.Future[Any], manager: Any) -> None:
    """End a kernel's work: first its cell, then the kernel."""
    if not task.done():
        with suppress(Exception):  # the kernel may have died meanwhile
            await ensure_async(manager.interrupt_kernel())
        await asyncio.wait({task}, timeout=_GRACE)
    if not task.done():
        await manager.provisioner.kill()


def _title(document: Any) -> str:
    """Return the title of a step; any cell may display such a document."""
    title = document.get("title") if isinstance(document, dict) else None
    return " ".join(str(title or "").split())[:_TITLE]


def _size(content: Mapping[str, Any]) -> int:
    """Return the approximate number of characters in a message."""
    if "text" in content:
        return len(content["text"])
    parts = [*(content.get("data") or {}).values(), content.get("evalue", "")]
    return sum(len(part) if isinstance(part, str) else len(json.dumps(part, default=str)) for part in parts)
