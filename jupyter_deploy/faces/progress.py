"""Progress where somebody looks: a line that changes in a notebook or on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.requests import Step

from .shell import current_shell


@contextmanager
def reporter(*, shown: bool = True) -> Iterator[Report]:
    """A reporter for one operation; what it showed is gone when the operation has ended well."""
    if not shown:
        yield lambda _: None
    elif current_shell() is not None:
        with _notebook() as report:
            yield report
    elif sys.stderr.isatty():
        with _terminal() as report:
            yield report
    else:
        yield lambda step: print(_words(step), file=sys.stderr, flush=True)  # noqa: T201 - progress on stderr


@contextmanager
def _notebook() -> Iterator[Report]:
    from IPython.display import HTML, display  # noqa: PLC0415 - only where IPython runs already

    began = time.monotonic()
    handle = display(HTML("<i>nbdeploy …</i>"), display_id=True)

    def report(step: Step) -> None:
        done = "■" * (step.number - 1) + "▣" + "□" * (step.total - step.number)
        handle.update(HTML(f"<span role='status'><code>{done}</code> {step.title} …</span>"))

    try:
        yield report
    except BaseException:
        handle.update(HTML("<i>nbdeploy: not done</i>"))
        raise
    handle.update(HTML(f"<i>nbdeploy: done in {time.monotonic() - began:.1f} s</i>"))


@contextmanager
def _terminal() -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415 - not needed for --help
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1)
        yield lambda step: bar.update(task, total=step.total, completed=step.number - 1, description=step.title)


def _words(step: Step) -> str:
    return f"[{step.number}/{step.total}] {step.title}"
