"""A result as a small document of facts and tables, and that document as text or HTML."""

from __future__ import annotations

import html as html_
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.findings import Finding, told


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Page:
    """A headline, findings that are to be seen at once, facts (name, value), tables, and a command worth pasting."""

    headline: str
    findings: Sequence[Finding] = ()
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    code: str = ""


def as_text(document: Page) -> str:
    from rich import box  # noqa: PLC0415 - 50 ms that --help does without
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415

    lines = [document.headline]
    lines += [f"  {mark(finding)} {told(finding)}" for finding in document.findings]
    width = max((len(name) for name, _ in document.facts), default=0)
    lines += [f"  {name:{width}}  {value}" for name, value in document.facts]
    buffer = io.StringIO()
    # force_jupyter: in a kernel rich would display what it prints instead of writing it to the file.
    console = Console(
        file=buffer, width=160, color_system=None, highlight=False, emoji=False, markup=False, force_jupyter=False
    )
    for table in document.tables:
        drawn = RichTable(
            *table.head, title=table.title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False
        )
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    tables = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()).strip("\n")
    return "\n".join(part for part in ("\n".join(lines), tables, document.code) if part)


def as_html(document: Page) -> str:
    parts = [f"<p><b>{html_.escape(document.headline)}</b></p>", *map(_finding, document.findings)]
    if document.facts:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html_.escape(name)}</th>"
            f"<td style='text-align:left'>{html_.escape(value)}</td></tr>"
            for name, value in document.facts
        )
        parts.append(f"<table>{rows}</table>")
    for table in document.tables:
        head = "".join(f"<th scope='col' style='text-align:left'>{html_.escape(name)}</th>" for name in table.head)
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html_.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        caption = f"<caption style='text-align:left'>{html_.escape(table.title)}</caption>" if table.title else ""
        parts.append(f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    if document.code:
        parts.append(f"<pre style='white-space:pre-wrap'>{html_.escape(document.code)}</pre>")
    return "".join(parts)


def mark(finding: Finding) -> str:
    """How a finding is told apart at a glance, also without colours."""
    return f"[{'waived' if finding.waived is not None else finding.severity}]"


# Readable on a light and on a dark page: only the edge has a colour.
_EDGES = {"error": "#c62828", "warning": "#e69500", "note": "#6b7f99"}


def _finding(finding: Finding) -> str:
    edge = _EDGES["note" if finding.waived is not None else finding.severity]
    style = f"border-left:4px solid {edge};padding:2px 8px;margin:4px 0"
    return f"<div style='{style}'><b>{mark(finding)}</b> {html_.escape(told(finding))}</div>"


def short(value: Any, limit: int = 60) -> str:
    """A value in one line of at most ``limit`` characters."""
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    words = " ".join(words.split())  # an exception of several lines would break a table
    return words if len(words) <= limit else words[: limit - 1] + "…"
