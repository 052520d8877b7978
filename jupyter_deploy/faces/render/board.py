"""A board of runs: one row for each notebook run, on a terminal and in a notebook."""

from __future__ import annotations

import html
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from jupyter_deploy.domain.validation.validation import Underway

from .page import EDGES, SIGNS

_ROWS = 20
_ENDED = ("pass", "fail", "inconclusive", "not run")


@dataclass(frozen=True)
class Row:
    """One run: its latest progress, that of its run with stable, the later of the two, and its start."""

    progress: Underway
    began: float | None = None
    stable: Underway | None = None
    latest: Underway | None = None

    @property
    def ended(self) -> bool:
        return self.progress.state in _ENDED

    @property
    def seconds(self) -> float:
        """Seconds since its first kernel started."""
        if self.ended or self.began is None:
            return self.progress.seconds
        return time.monotonic() - self.began

    @property
    def time(self) -> str:
        """The time, such as ``2.5 s``; empty before the start."""
        return "" if self.progress.state in ("waiting", "not run") else f"{self.seconds:.1f} s"

    @property
    def share(self) -> float:
        """The share of its cells that have begun, from 0 to 1."""
        if self.ended:
            return float(self.progress.state != "not run")
        reports = [self.progress, *([self.stable] if self.stable else [])]
        return sum(one.cell for one in reports) / max(1, sum(one.cells for one in reports))

    @property
    def words(self) -> str:
        """The current cell, or the outcome."""
        if self.ended:
            return f"{SIGNS.get(self.progress.state, '–')} {self.progress.state}"
        if self.progress.state == "waiting":
            return "waits"
        latest = self.latest or self.progress
        side = "" if self.stable is None else f"{latest.side}: "
        if not latest.cell:
            return f"{side}its kernel starts"
        return f"{side}cell {min(latest.cell, latest.cells)} of {latest.cells}  {latest.words}"


class Board:
    """The rows of all runs; updated from several threads."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._lock = threading.Lock()

    def update(self, progress: Underway) -> bool:
        """Note a run's progress; return whether the run began or ended."""
        with self._lock:
            row = self._rows.get(progress.run)
            began = row.began if row else None
            if progress.state == "running" and began is None:
                began = time.monotonic()
            if row is not None and progress.side == "stable" and progress.state == "running":
                self._rows[progress.run] = replace(row, began=began, stable=progress, latest=progress)
                return False
            stable = row.stable if row else None
            self._rows[progress.run] = Row(progress, began, stable)
            return row is None or row.progress.state != progress.state

    def rows(self) -> tuple[list[Row], str]:
        """Return the most important rows in their order, and a summary of the others."""
        with self._lock:
            rows = list(self._rows.values())
        if len(rows) <= _ROWS:
            return rows, ""
        order = {"running": 0, "fail": 1, "inconclusive": 2, "waiting": 3}
        kept = sorted(range(len(rows)), key=lambda n: order.get(rows[n].progress.state, 4))[:_ROWS]
        counts = Counter(rows[n].progress.state for n in set(range(len(rows))) - set(kept))
        others = ", ".join(f"{count} {state}" for state, count in counts.items())
        return [rows[n] for n in sorted(kept)], f"and {others}"


def as_renderable(board: Board) -> Any:
    """Return the board for rich."""
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    rows, others = board.rows()
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False, caption=others or None, caption_justify="left")
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=44)
    table.add_column(width=16)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    colours = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not run": "dim", "waiting": "dim"}
    for row in rows:
        state = row.progress.state
        colour = colours.get(state, "")
        bar = ProgressBar(total=1.0, completed=row.share, width=16, finished_style=colour or "default")
        table.add_row(Text(row.progress.title), bar, row.time, Text(row.words, style=colour))
    return table


def as_html(board: Board) -> str:
    """Return the board for a notebook's output."""
    rows, others = board.rows()
    style = "text-align:left;padding:2px 8px;white-space:nowrap;max-width:40em;overflow:hidden;text-overflow:ellipsis"
    lines = "".join(
        f"<tr style='border-left:4px solid {EDGES.get(row.progress.state, EDGES['note'])}'>"
        f"<th scope='row' style='{style}'>{html.escape(row.progress.title)}</th>"
        f"<td><progress max='1' value='{row.share:.3f}'></progress></td>"
        f"<td style='text-align:right;padding:2px 0 2px 8px'>{row.time}</td>"
        f"<td style='{style}'>{html.escape(row.words)}</td></tr>"
        for row in rows
    )
    caption = f"<caption style='text-align:left;caption-side:bottom'>{html.escape(others)}</caption>" if others else ""
    return f"<table role='status' style='border-collapse:collapse'>{caption}<tbody>{lines}</tbody></table>"


def plain_line(progress: Underway, seen: set[int]) -> str | None:
    """Return a log line when a run begins or has ended; ``seen``: the runs that have begun."""
    if progress.state in _ENDED:
        return f"{SIGNS.get(progress.state, '–')} {progress.title}: {progress.state}, {progress.seconds:.1f} s"
    if progress.state == "running" and progress.run not in seen:
        seen.add(progress.run)
        return f"  {progress.title} runs"
    return None
