"""A result as a small document of facts and tables, and that document as text or HTML."""

from __future__ import annotations

import html as html_
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.findings import Finding, finding_text
from jupyter_deploy.domain.validation.validation import Verdict


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Line:
    """One thing that was judged, in a sentence, and where it stands."""

    verdict: Verdict
    sentence: str
    origin: str = ""


@dataclass(frozen=True)
class Block:
    """Lines as ``diff -u`` has them, under a title."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Page:
    """A headline, findings and verdicts that are to be seen at once, facts (name, value), tables, lines, a command.

    ``plain``: the whole text form, where a terminal shows something else than the page.
    """

    headline: str
    findings: Sequence[Finding] = ()
    lines: Sequence[Line] = ()
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    blocks: Sequence[Block] = ()
    code: str = ""
    plain: str = ""


def as_text(document: Page) -> str:
    if document.plain:
        return document.plain
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    lines = [document.headline]
    lines += [f"  {mark(finding)} {finding_text(finding)}" for finding in document.findings]
    lines += [
        f"  {SIGNS[one.verdict]} {one.sentence}{f'  ({one.origin})' if one.origin else ''}" for one in document.lines
    ]
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
    blocks = "\n\n".join("\n".join([block.title, *(f"  {line}" for line in block.lines)]) for block in document.blocks)
    parts = ("\n".join(lines), tables, f"\n{blocks}" if blocks else "", document.code)
    return "\n".join(part for part in parts if part)


def as_html(document: Page) -> str:
    parts = [f"<p><b>{html_.escape(document.headline)}</b></p>", *map(_finding, document.findings)]
    parts += [_line(line) for line in document.lines]
    if document.facts:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html_.escape(name)}</th>"
            f"<td style='text-align:left'>{_linked(value)}</td></tr>"
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
    parts += [_block(block) for block in document.blocks]
    if document.code:
        parts.append(f"<pre style='white-space:pre-wrap'>{html_.escape(document.code)}</pre>")
    return "".join(parts)


def _linked(value: str) -> str:
    """A fact's value; a report's address as a link."""
    escaped = html_.escape(value)
    return f"<a href='{escaped}' target='_blank'>{escaped}</a>" if value.startswith("file:///") else escaped


# Transparent, so that they tint the background of a light and of a dark theme alike; the sign says the same.
_TINTS = {"+": "rgba(46, 160, 67, 0.2)", "-": "rgba(248, 81, 73, 0.2)", "@": "rgba(128, 128, 128, 0.15)"}


def _block(block: Block) -> str:
    title = html_.escape(block.title)
    if not block.lines:
        return f"<p>{title}</p>"
    # Elements of their own, since a notebook that is not trusted is shown without styles.
    runs = [(tint, list(lines)) for tint, lines in itertools.groupby(block.lines, lambda line: _TINTS.get(line[:1]))]
    lines = "".join(
        f"<pre style='margin:0;white-space:pre-wrap{f';background:{tint}' if tint else ''}'>"
        f"{html_.escape(chr(10).join(run))}</pre>"
        for tint, run in runs
    )
    return f"<details open style='margin-bottom:0.8em'><summary>{title}</summary>{lines}</details>"


def mark(finding: Finding) -> str:
    """How a finding is told apart at a glance, also without colours."""
    return f"[{'waived' if finding.waived is not None else finding.severity}]"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """What is to be mended first; what was waived and the notes last."""
    order = {"error": 0, "warning": 1, "note": 3}
    return sorted(findings, key=lambda f: 2 if f.waived is not None else order[f.severity])


SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
"""How verdicts are told apart without colours."""

# Readable on a light and on a dark page: only the edge has a colour.
EDGES = {"error": "#c62828", "warning": "#e69500", "note": "#6b7f99"}
EDGES |= {"fail": EDGES["error"], "inconclusive": EDGES["warning"], "pass": "#2e9e4f"}


def _line(line: Line) -> str:
    origin = f" <small style='opacity:0.7'>({html_.escape(line.origin)})</small>" if line.origin else ""
    style = f"border-left:4px solid {EDGES[line.verdict]};padding:2px 8px;margin:4px 0"
    return f"<div style='{style}'><b>{SIGNS[line.verdict]}</b> {html_.escape(line.sentence)}{origin}</div>"


def _finding(finding: Finding) -> str:
    edge = EDGES["note" if finding.waived is not None else finding.severity]
    style = f"border-left:4px solid {edge};padding:2px 8px;margin:4px 0"
    return f"<div style='{style}'><b>{mark(finding)}</b> {html_.escape(finding_text(finding))}</div>"


def short(value: Any, limit: int = 60) -> str:
    """A value in one line of at most ``limit`` characters."""
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    words = " ".join(words.split())  # an exception of several lines would break a table
    return words if len(words) <= limit else words[: limit - 1] + "…"
