"""GitHub's view of a validation: annotations at the notebooks, and the job's summary.

A job's runner reads workflow commands on stdout and stderr; they go to stderr, since stdout holds the result.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.chart import figures, number
from jupyter_deploy.domain.validation.summary import ENDED, SIGNS, headline, unjudged_words
from jupyter_deploy.domain.validation.validation import Run, Validation

from .page import ordered_checks, ordered_gates, run_names

_ANNOTATIONS = 10
"""The number of annotations of each kind that GitHub shows per step."""

_SUMMARY_BYTES = 1024 * 1024 - 4096
"""Above 1 MiB GitHub drops a step's whole summary; the rest is left to other programs."""

_TABLE_ROWS = 200
_NOTICE = "\n*There is more: this page is at its limit. The HTML report has all of it.*\n"


@dataclass(frozen=True)
class _Annotation:
    kind: str
    title: str
    message: str
    file: str | None = None
    line: int = 1


def write(validation: Validation, environment: Mapping[str, str] | None = None) -> None:
    """Write the annotations to stderr and the summary to ``$GITHUB_STEP_SUMMARY``; outside of GitHub both to stderr.

    Raises
    ------
    OSError
        The summary cannot be written.
    """
    environment = os.environ if environment is None else environment
    workspace = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
    lines = [_command(annotation) for annotation in _bounded(_annotations(validation, workspace))]
    target = environment.get("GITHUB_STEP_SUMMARY")
    if not target:
        lines = ["nbdeploy: no GitHub workflow runs here; it would be told:", *lines, "", summary(validation)]
    # One write, so that no other line of a busy job interleaves.
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - this is where the runner reads
    if target:
        with Path(target).open("ab") as file:
            file.write(_truncate(summary(validation), _SUMMARY_BYTES - file.tell()))


def summary(validation: Validation) -> str:
    """Return the job's summary as GitHub's Markdown."""
    names = run_names(validation.runs)
    subject = " against ".join(_code(tag) for tag in (validation.snapshot, validation.stable) if tag)
    parts = [f"## {SIGNS[validation.verdict]} {_text(headline(validation))}", ""]
    if subject:
        parts += [subject + (f" · endpoint {_code(validation.endpoint)}" if validation.endpoint else ""), ""]
    if validation.forced:
        parts += [f"**Done all the same:** {_text(validation.forced)}", ""]
    gates = [
        (
            f"{SIGNS[gate.verdict]} {gate.verdict}",
            _text(gate.sentence or gate.expression),
            _text(gate.method),
            _text(where),
        )
        for gate, where in ordered_gates(validation, names)
    ]
    parts += _table("Gates", ("verdict", "gate", "method", "notebook"), gates)
    checks = [
        ("✓ pass" if check.passed else "✗ fail", _text(check.name), _text(check.detail), _text(where))
        for check, where in ordered_checks(validation, names)
    ]
    parts += _table("Checks", ("verdict", "check", "", "notebook"), checks)
    metrics = [
        (
            _text(figure.name),
            _text(part.name),
            number(part.metric.value) + (f" [{number(i.low)}, {number(i.high)}]" if (i := part.interval) else ""),
            number(part.stable.value) if part.stable else "",
            "" if part.metric.n is None else str(part.metric.n),
            _text(names[id(figure.run)]),
        )
        for figure in figures(validation)
        for part in figure.parts
    ]
    parts += _table("Metrics", ("metric", "of", "candidate", "stable", "rows", "notebook"), metrics)
    runs = [
        (f"{SIGNS[run.verdict]} {run.verdict}", _text(names[id(run)]), _text(_ended(run)), f"{run.seconds:.1f} s")
        for run in validation.runs
    ]
    parts += _table("Notebooks", ("verdict", "notebook", "ended", "time"), runs)
    whole = "`--html DIR` writes the whole report, `DIR/index.html`: keep it as an artefact."
    return "\n".join([*parts, f"Validation {_code(validation.id)}. {whole}", ""])


def _annotations(validation: Validation, workspace: Path) -> Iterator[_Annotation]:
    for run in validation.runs:
        file, lines = _relative(run.notebook, workspace), _lines(run.notebook)
        if run.status != "done":
            message = f"{run.error.ename}: {run.error.evalue}" if run.error else run.detail or ENDED[run.status]
            line = _line(lines, run.error.cell if run.error else None)
            message = "; ".join(filter(None, (message, unjudged_words(run))))
            kind = "notice" if run.status == "not run" else "error"
            yield _Annotation(kind, f"{Path(run.notebook).name}: {ENDED[run.status]}", message, file, line)
        for check in run.checks:
            if not check.passed:
                message = check.detail or f"{check.name} does not hold"
                yield _Annotation("error", f"check fails: {check.name}", message, file, _line(lines, check.cell))
        for gate in run.gates:
            if gate.verdict != "pass" and gate not in run.unjudged:
                line = _line(lines, _cell(gate.expression, run))
                yield _of_gate(gate.verdict, gate.expression, gate.sentence, file, line)
    for gate in validation.live:
        if gate.verdict != "pass":
            yield _of_gate(gate.verdict, gate.expression, gate.sentence, None, 1)


def _cell(expression: str, run: Run) -> int | None:
    """Return the cell of a gate's metric: of its subgroup, or without rows there of its other subgroups."""
    try:
        gate = parse_gate(expression)
    except InvalidInput:  # of a version that knew other gates
        return None
    same = [metric for metric in run.metrics if metric.name == gate.metric]
    return next((m.cell for m in [*(m for m in same if m.group == gate.group), *same]), None)


def _of_gate(verdict: str, expression: str, sentence: str, file: str | None, line: int) -> _Annotation:
    failed = verdict == "fail"
    return _Annotation(
        "error" if failed else "warning",
        f"gate {'fails' if failed else 'undecided'}: {expression}",
        sentence,
        file,
        line,
    )


def _bounded(annotations: Iterator[_Annotation]) -> Iterator[_Annotation]:
    """Yield at most as many annotations of each kind as GitHub shows; the last one counts the rest."""
    by_kind: dict[str, list[_Annotation]] = {}
    for annotation in annotations:
        by_kind.setdefault(annotation.kind, []).append(annotation)
    for kind, of_kind in by_kind.items():
        if len(of_kind) <= _ANNOTATIONS:
            yield from of_kind
        else:
            yield from of_kind[: _ANNOTATIONS - 1]
            more = len(of_kind) - _ANNOTATIONS + 1
            yield _Annotation(kind, f"{more} more", f"{more} more are in the job's summary")


def _command(annotation: _Annotation) -> str:
    """Format a workflow command, with the escapes of GitHub's toolkit.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    properties_by_name = {
        "file": annotation.file,
        "line": str(annotation.line) if annotation.file else None,
        "title": annotation.title,
    }
    properties = ",".join(f"{name}={_property(value)}" for name, value in properties_by_name.items() if value)
    return f"::{annotation.kind} {properties}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _relative(notebook: str, workspace: Path) -> str | None:
    """Return a notebook's path for annotations; None: it is outside of the repository."""
    path = Path(notebook)
    if not path.is_absolute():
        return path.as_posix() if "://" not in notebook else None
    try:
        return path.resolve().relative_to(workspace.resolve()).as_posix()
    except ValueError:
        return None


def _lines(notebook: str) -> list[int]:
    """Return the first line of each code cell in a notebook's file; empty: unknown."""
    try:
        file = Path(notebook).read_text("utf-8")
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(file)["cells"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    first_lines, at = [], 0
    for kind, source in cells:
        first = next((line for line in source.splitlines() if line.strip()), "")
        encoded = [json.dumps(first, ensure_ascii=ascii_alone)[:-1] for ascii_alone in (True, False)]
        # Search from the start of the cell before, since two cells may have the same first line.
        at = max(at, *(file.find(words, at + 1) for words in encoded)) if first else at
        if kind == "code":
            first_lines.append(file.count("\n", 0, at) + 1)
    return first_lines


def _line(lines: Sequence[int], cell: int | None) -> int:
    return lines[cell - 1] if cell is not None and 0 < cell <= len(lines) else 1


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    shown = [f"| {' | '.join(row)} |" for row in rows[:_TABLE_ROWS]]
    more = [f"\n{len(rows) - _TABLE_ROWS} more: in the HTML report."] if len(rows) > _TABLE_ROWS else []
    return [f"### {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *shown, *more, ""]


def _text(words: str) -> str:
    """Escape Markdown, HTML, mentions and tables, on one line."""
    flat = " ".join(words.split())
    flat = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", flat)
    return (
        flat.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("@", "&#64;")
        .replace("://", ":&#8203;//")
    )


def _code(words: str) -> str:
    flat = " ".join(words.split()).replace("`", "'").replace("|", "/")
    return f"`{flat}`"


def _ended(run: Run) -> str:
    if run.error is not None:
        return f"cell {run.error.cell} raised {run.error.ename}: {run.error.evalue[:300]}"
    return run.detail or ENDED[run.status]


def _truncate(text: str, limit: int) -> bytes:
    """Encode a text, truncated after a line if it is too long for the file."""
    data = text.encode()
    if len(data) <= limit:
        return data
    kept = data[: max(0, limit - len(_NOTICE.encode()))]
    return kept[: kept.rfind(b"\n") + 1] + _NOTICE.encode() if kept else b""
