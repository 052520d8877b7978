"""Pages: results as small documents of facts and tables, rendered as text or HTML."""

from __future__ import annotations

import html as html_
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.base import one_line

from .output import escape_control

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.findings import Finding
    from jupyter_deploy.domain.validation.validation import Verdict


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class VerdictLine:
    """A verdict in a sentence, with its origin."""

    verdict: Verdict
    sentence: str
    origin: str = ""


@dataclass(frozen=True)
class Block:
    """Lines of ``diff -u``, under a title."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Page:
    """A headline, findings, verdicts, facts (name, value), tables, blocks of lines and a command.

    ``plain``: the whole text form, if a terminal shows another text than the page.
    """

    headline: str
    findings: Sequence[Finding] = ()
    lines: Sequence[VerdictLine] = ()
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    blocks: Sequence[Block] = ()
    code: str = ""
    plain: str = ""


def as_text(document: Page) -> str:
    """Render a page as text, with escaped control characters: a notebook's output obeys some, too."""
    return escape_control(document.plain or _drawn(document))


def _drawn(document: Page) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    lines = [document.headline]
    lines += [f"  {mark(finding)} {_paragraph(finding)}" for finding in document.findings]
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
            drawn.add_row(*map(escape_control, row))  # rich would drop some
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
    """Render a fact's value; a report's address becomes a link."""
    escaped = html_.escape(value)
    return f"<a href='{escaped}' target='_blank'>{escaped}</a>" if value.startswith("file:///") else escaped


# Transparent, so that they tint light and dark backgrounds; the sign repeats the meaning.
_TINTS = {"+": "rgba(46, 160, 67, 0.2)", "-": "rgba(248, 81, 73, 0.2)", "@": "rgba(128, 128, 128, 0.15)"}


def _block(block: Block) -> str:
    title = html_.escape(block.title)
    if not block.lines:
        return f"<p>{title}</p>"
    # Separate elements, since an untrusted notebook is shown without style sheets.
    runs = [(tint, list(lines)) for tint, lines in itertools.groupby(block.lines, lambda line: _TINTS.get(line[:1]))]
    lines = "".join(
        f"<pre style='margin:0;white-space:pre-wrap{f';background:{tint}' if tint else ''}'>"
        f"{html_.escape(chr(10).join(run))}</pre>"
        for tint, run in runs
    )
    return f"<details open style='margin-bottom:0.8em'><summary>{title}</summary>{lines}</details>"


def _paragraph(finding: Finding) -> str:
    from jupyter_deploy.domain.capture.findings import finding_text  # most pages have no findings

    return finding_text(finding)


def mark(finding: Finding) -> str:
    """Return the mark of a finding's severity, which needs no colours."""
    return f"[{'waived' if finding.waived is not None else finding.severity}]"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: errors and warnings first, waived ones and notes last."""
    order = {"error": 0, "warning": 1, "note": 3}
    return sorted(findings, key=lambda f: 2 if f.waived is not None else order[f.severity])


SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
"""Signs of the verdicts, which need no colours."""

# Readable on light and dark pages: only the edge has a colour.
EDGES = {"error": "#c62828", "warning": "#e69500", "note": "#6b7f99"}
EDGES |= {"fail": EDGES["error"], "inconclusive": EDGES["warning"], "pass": "#2e9e4f"}


def _line(line: VerdictLine) -> str:
    origin = f" <small style='opacity:0.7'>({html_.escape(line.origin)})</small>" if line.origin else ""
    style = f"border-left:4px solid {EDGES[line.verdict]};padding:2px 8px;margin:4px 0"
    return f"<div style='{style}'><b>{SIGNS[line.verdict]}</b> {html_.escape(line.sentence)}{origin}</div>"


def _finding(finding: Finding) -> str:
    edge = EDGES["note" if finding.waived is not None else finding.severity]
    style = f"border-left:4px solid {edge};padding:2px 8px;margin:4px 0"
    return f"<div style='{style}'><b>{mark(finding)}</b> {html_.escape(_paragraph(finding))}</div>"


def short(value: Any, limit: int = 60) -> str:
    """Format a value in one line of at most ``limit`` characters."""
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return one_line(words, limit)
