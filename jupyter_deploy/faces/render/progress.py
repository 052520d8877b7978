"""Progress of operations: updated in place in a notebook or on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.progress import PROGRESS, PROGRESS_MIME
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.validation import Underway

from .board import Board, as_html, as_renderable, plain_line
from .output import escape_control, write
from .shell import current_shell

_SHOWN_EVERY = 0.2  # seconds: each update of a notebook's output may be stored in its file


@contextmanager
def reporter() -> Iterator[Report]:
    """Yield a reporter for one operation and several threads; its output disappears after success."""
    if current_shell() is not None:
        with _notebook() as report:
            yield report
    elif sys.stderr.isatty():
        with _terminal() as report:
            yield report
    else:
        yield _plain()


def _plain() -> Report:
    seen: set[int] = set()

    def report(step: Step | Underway) -> None:
        line = plain_line(step, seen) if isinstance(step, Underway) else f"[{step.number}/{step.total}] {step.words}"
        if line is not None:
            write(line, sys.stderr)  # a closed stderr, as in '2>&1 | head', is ignored

    return report


@contextmanager
def _notebook() -> Iterator[Report]:
    from IPython.display import HTML, display  # only where IPython runs already

    began = time.monotonic()
    handle = display(HTML("<i>nbdeploy …</i>"), display_id=True)
    board, lock, shown = Board(), threading.Lock(), 0.0
    headless = bool(os.environ.get(PROGRESS))

    def report(step: Step | Underway) -> None:
        nonlocal shown
        with lock:
            if not isinstance(step, Underway):
                done = "■" * (step.number - 1) + "▣" + "□" * (step.total - step.number)
                html = f"<span role='status'><code>{done}</code> {escape(step.words)} …</span>"
                if headless:
                    document = {"title": step.words}
                    handle.update({"text/html": html, "text/plain": step.words, PROGRESS_MIME: document}, raw=True)
                else:
                    handle.update(HTML(html))
            elif board.update(step) or time.monotonic() - shown > _SHOWN_EVERY:
                shown = time.monotonic()
                handle.update(HTML(as_html(board)))

    try:
        yield report
    except BaseException:
        handle.update(HTML("<i>nbdeploy: not done</i>"))
        raise
    handle.update(HTML(f"<i>nbdeploy: done in {time.monotonic() - began:.1f} s</i>"))


@contextmanager
def _terminal() -> Iterator[Report]:
    from rich.console import Console
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    board = Board()
    with contextlib.ExitStack() as stack:
        bar = Progress(*columns, console=console, transient=True)
        task = bar.add_task("starting", total=1)
        live = Live(get_renderable=lambda: as_renderable(board), console=console, transient=True, refresh_per_second=8)
        stack.enter_context(bar)

        def report(step: Step | Underway) -> None:
            if not isinstance(step, Underway):
                if live.is_started:  # a deploy goes on after its validation
                    live.stop()
                    bar.start()
                bar.update(task, total=step.total, completed=step.number - 1, description=escape_control(step.words))
                return
            board.update(step)
            if not live.is_started:
                bar.stop()
                live.start()

        stack.callback(live.stop)
        yield report
