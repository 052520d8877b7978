"""What is shown of several notebooks while they run: a row a run, on a terminal and in a notebook alike."""

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
    """One run: what was told last of it and of its asking stable, which of the two came last, and when it began."""

    told: Underway
    began: float | None = None
    stable: Underway | None = None
    latest: Underway | None = None

    @property
    def ended(self) -> bool:
        return self.told.state in _ENDED

    @property
    def seconds(self) -> float:
        """Since its first kernel began to start."""
        if self.ended or self.began is None:
            return self.told.seconds
        return time.monotonic() - self.began

    @property
    def time(self) -> str:
        """``2.5 s``; nothing before it began."""
        return "" if self.told.state in ("waiting", "not run") else f"{self.seconds:.1f} s"

    @property
    def share(self) -> float:
        """From 0 to 1, how many of its cells have been begun."""
        if self.ended:
            return float(self.told.state != "not run")
        sides = [self.told, *([self.stable] if self.stable else [])]
        return sum(one.cell for one in sides) / max(1, sum(one.cells for one in sides))

    @property
    def words(self) -> str:
        """Which cell runs, or what came of it."""
        if self.ended:
            return f"{SIGNS.get(self.told.state, '–')} {self.told.state}"
        if self.told.state == "waiting":
            return "waits"
        asked = self.latest or self.told
        whom = "" if self.stable is None else f"{asked.side}: "
        if not asked.cell:
            return f"{whom}its kernel starts"
        return f"{whom}cell {min(asked.cell, asked.cells)} of {asked.cells}  {asked.words}"


class Board:
    """The rows of all runs; told from several threads."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._lock = threading.Lock()

    def tell(self, told: Underway) -> bool:
        """Note it; whether a run began or ended by it."""
        with self._lock:
            row = self._rows.get(told.run)
            began = row.began if row else None
            if told.state == "running" and began is None:
                began = time.monotonic()
            if row is not None and told.side == "stable" and told.state == "running":
                self._rows[told.run] = replace(row, began=began, stable=told, latest=told)
                return False
            stable = row.stable if row else None
            self._rows[told.run] = Row(told, began, stable)
            return row is None or row.told.state != told.state

    def rows(self) -> tuple[list[Row], str]:
        """As many rows as can be looked at, those that matter now first, and the others in words."""
        with self._lock:
            rows = list(self._rows.values())
        if len(rows) <= _ROWS:
            return rows, ""
        order = {"running": 0, "fail": 1, "inconclusive": 2, "waiting": 3}
        kept = sorted(range(len(rows)), key=lambda n: order.get(rows[n].told.state, 4))[:_ROWS]
        counts = Counter(rows[n].told.state for n in set(range(len(rows))) - set(kept))
        others = ", ".join(f"{count} {state}" for state, count in counts.items())
        return [rows[n] for n in sorted(kept)], f"and {others}"


def as_renderable(board: Board) -> Any:
    """For rich."""
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
        state = row.told.state
        colour = colours.get(state, "")
        bar = ProgressBar(total=1.0, completed=row.share, width=16, finished_style=colour or "default")
        table.add_row(Text(row.told.title), bar, row.time, Text(row.words, style=colour))
    return table


def as_html(board: Board) -> str:
    """For a notebook's output."""
    rows, others = board.rows()
    style = "text-align:left;padding:2px 8px;white-space:nowrap;max-width:40em;overflow:hidden;text-overflow:ellipsis"
    lines = "".join(
        f"<tr style='border-left:4px solid {EDGES.get(row.told.state, EDGES['note'])}'>"
        f"<th scope='row' style='{style}'>{html.escape(row.told.title)}</th>"
        f"<td><progress max='1' value='{row.share:.3f}'></progress></td>"
        f"<td style='text-align:right;padding:2px 0 2px 8px'>{row.time}</td>"
        f"<td style='{style}'>{html.escape(row.words)}</td></tr>"
        for row in rows
    )
    caption = f"<caption style='text-align:left;caption-side:bottom'>{html.escape(others)}</caption>" if others else ""
    return f"<table role='status' style='border-collapse:collapse'>{caption}<tbody>{lines}</tbody></table>"


def plain_line(told: Underway, seen: set[int]) -> str | None:
    """A line where nobody watches: one when a run begins and one when it has ended; ``seen`` are those that began."""
    if told.state in _ENDED:
        return f"{SIGNS.get(told.state, '–')} {told.title}: {told.state}, {told.seconds:.1f} s"
    if told.state == "running" and told.run not in seen:
        seen.add(told.run)
        return f"  {told.title} runs"
    return None
