"""The client that executes a notebook's cells: nbclient's, which can be stopped and bounds what cells put out.

A cell that runs too long or puts out too much is stopped, an execution can be ended from another thread, and how the
kernel ended is known. Slow to import: a third of a second.
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

from .kernels.launch import LARGEST, how_it_ended
from .reader import number_of

TEXT = 1024**2
"""Characters that a notebook keeps of what one cell prints."""

SHOWN = 32 * 1024**2
"""Characters that it keeps of what one cell displays, and four times that of all cells."""

FLOOD = LARGEST
"""Characters at which a cell that puts out more and more is stopped."""

_OUTPUTS = 2000  # of one cell
_POLL = 0.1  # seconds; how soon a death, a timeout or an end from another thread is noticed
_GRACE = 2.0  # seconds that a cell may take to end after it was interrupted

_NEVER = 10**9
_LATE = 4.0  # seconds after a cell's end in which none of its outputs comes, and so the last never will


_logger = logging.getLogger("papermill")
_logger.addHandler(logging.NullHandler())  # what matters is told by us


@dataclass
class Watch:
    """What a client is to look to, and what it found.

    Attributes
    ----------
    cancelled
        Set from any thread, to end the execution.
    timeout
        Seconds that a cell may take.
    on_measured
        See ``Execution``.
    stopped
        Why the client ended a cell, if it did.
    exit_code
        That of the kernel, if it ended by itself.
    """

    cancelled: threading.Event
    timeout: float | None
    on_measured: Callable[[int, str | None, Any], Any]
    stopped: Literal["timeout", "flood", "lost", "cancelled"] | None = None
    exit_code: int | None = None


class WatchedClient(PapermillNotebookClient):  # type: ignore[misc]
    """One kernel's client, which can be stopped and does not drown."""

    def __init__(self, manager: Any, watch: Watch, **options: Any) -> None:
        # Papermill's, and no cell's, timeout: _watched and _while_they_come know better.
        super().__init__(manager, timeout=None, iopub_timeout=_NEVER, log=_logger, **options)
        self._watch = watch
        self._kept_of_all = self._arrived = 0
        self._kept_text = self._kept_shown = self._received = 0
        self._cut = False

    async def async_start_new_kernel_client(self) -> Any:
        return await self._watched(super().async_start_new_kernel_client(), None)

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def async_execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        self._kept_text = self._kept_shown = self._received = 0
        self._cut = False
        try:
            return await self._watched(
                super().async_execute_cell(cell, cell_index, **options), self._watch.timeout, cell=cell
            )
        except CellTimeoutError as error:  # its last outputs never came
            self._watch.stopped = self._watch.stopped or "lost"
            self.shutdown_kernel = "immediate"
            self._fails(cell, cell_index)
            raise DeadKernelError("outputs were lost") from error
        except DeadKernelError:
            self._fails(cell, cell_index)
            raise

    execute_cell = run_sync(async_execute_cell)

    def _fails(self, cell: Any, index: int) -> None:
        """Note at the cell why it did not come to its end: nothing in its kernel can."""
        ename, words = self._why()
        cell.outputs.append(nbformat.v4.new_output("error", ename=ename, evalue=words, traceback=[words]))
        self.nb_man.cell_exception(cell, cell_index=index)

    def _why(self) -> tuple[str, str]:
        match self._watch.stopped:
            case "timeout":
                return "Timeout", f"it ran longer than {self._watch.timeout:g} s"
            case "flood":
                return "TooMuchOutput", f"it put out more than {FLOOD // 1024**2} MiB"
            case "lost":
                one = f"at once more than {FLOOD // 1024**2} MiB, or faster than it could be taken"
                return "TooMuchOutput", f"not all came that it put out: {one}"
            case "cancelled":
                return "Interrupted", "it was interrupted"
        return "KernelDied", f"the kernel died: {how_it_ended(self._watch.exit_code)}"

    async def _watched(self, work: Coroutine[Any, Any, Any], seconds: float | None, cell: Any = None) -> Any:
        """Wait for the work, or end it."""
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
                watch.exit_code = await process.poll()  # None: it lives
        if watch.stopped is None:
            return await task
        self.shutdown_kernel = "immediate"
        await _end(task, manager)
        with suppress(CellExecutionError):  # that it was interrupted
            await task
        if cell is None:
            raise DeadKernelError("ended before its first cell")
        raise CellExecutionError("", *self._why())

    async def _async_poll_for_reply(
        self, msg_id: str, cell: Any, _: None, outputs: asyncio.Future[Any], alive: asyncio.Future[Any]
    ) -> Any:
        late = self._while_they_come(outputs)
        try:
            return await super()._async_poll_for_reply(msg_id, cell, None, late, alive)
        finally:
            late.close()  # a cell that is stopped has no reply, and so nobody waits for what comes after it

    async def _while_they_come(self, outputs: asyncio.Future[Any]) -> None:
        """Wait for the last output of a cell that has ended: as long as others come before it."""
        while not outputs.done():
            before = self._arrived
            await asyncio.wait({outputs}, timeout=_LATE)
            if not outputs.done() and self._arrived == before:
                raise TimeoutError("its last outputs never came")
        await outputs

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """As nbclient's own, but what was measured counts whichever cell began it: a task, or a thread."""
        with suppress(CellExecutionComplete):
            while True:
                msg = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
                self._arrived += 1
                measured = METRIC_MIME in (msg["content"].get("data") or ())
                if measured or msg["parent_header"].get("msg_id") == parent_msg_id:
                    self.process_message(msg, cell, cell_index)

    def process_message(self, msg: Mapping[str, Any], cell: Any, cell_index: int) -> Any:
        content, kind = msg["content"], msg["msg_type"]
        if kind in ("status", "execute_input", "clear_output"):
            return super().process_message(msg, cell, cell_index)
        self._received += _size(content) + sum(len(buffer) for buffer in msg.get("buffers", ()))
        if self._received > FLOOD:
            self._watch.stopped = self._watch.stopped or "flood"
            return self._leave_out(cell)
        documents = content.get("data")
        if isinstance(documents, dict) and METRIC_MIME in documents:
            number, display_id = number_of(self.nb, cell_index), (content.get("transient") or {}).get("display_id")
            documents[METRIC_MIME] = self._watch.on_measured(number, display_id, documents[METRIC_MIME])
        size = _size(content)
        if self._kept_of_all + size > 4 * SHOWN or len(cell.outputs) >= _OUTPUTS:
            return self._leave_out(cell)
        if kind == "stream":
            return self._print(msg, cell, cell_index)
        if kind == "error":
            content["evalue"] = content["evalue"][:TEXT]
        self._kept_shown += size
        if self._kept_shown > SHOWN:
            return self._leave_out(cell)
        self._kept_of_all += size
        return super().process_message(msg, cell, cell_index)

    def _print(self, msg: Mapping[str, Any], cell: Any, cell_index: int) -> Any:
        """Print to what was printed before, as Jupyter does.

        nbclient's own way (``coalesce_streams``) takes minutes for a megabyte without a line's end.
        """
        content = msg["content"]
        given = len(content["text"])
        content["text"] = content["text"][: TEXT - self._kept_text]
        kept = len(content["text"])
        self._kept_text += kept
        self._kept_of_all += kept
        out, last = None, cell.outputs[-1] if cell.outputs else None
        hooked = self.output_hook_stack.get(msg["parent_header"].get("msg_id")) or self.clear_before_next_output
        if last is not None and not hooked and last.output_type == "stream" and last.name == content["name"]:
            last.text += content["text"]
            self.nb_man.autosave_cell()
        elif kept:
            out = super().process_message(msg, cell, cell_index)
        if kept < given:
            self._leave_out(cell)
        return out

    def _leave_out(self, cell: Any) -> None:
        """Say once in the notebook that it does not hold all that the cell put out."""
        if not self._cut:
            self._cut = True
            words = "\n[nbdeploy: the cell put out more; the rest is left out]\n"
            cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text=words))


async def _end(task: asyncio.Future[Any], manager: Any) -> None:
    """End what a kernel does: first its cell, then the kernel."""
    if not task.done():
        with suppress(Exception):  # it may have died meanwhile
            await ensure_async(manager.interrupt_kernel())
        await asyncio.wait({task}, timeout=_GRACE)
    if not task.done():
        await manager.provisioner.kill()


def _size(content: Mapping[str, Any]) -> int:
    """Characters of what a message brings, about."""
    if "text" in content:
        return len(content["text"])
    parts = [*(content.get("data") or {}).values(), content.get("evalue", "")]
    return sum(len(part) if isinstance(part, str) else len(json.dumps(part, default=str)) for part in parts)
