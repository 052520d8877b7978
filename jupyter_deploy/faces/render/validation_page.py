"""A validation as a page: the verdict in words, then each gate's sentence, what failed first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jupyter_deploy.domain.gates.gate import metric_label
from jupyter_deploy.domain.validation.summary import ENDED, URGENCY, headline, unjudged_words
from jupyter_deploy.domain.validation.validation import Run, Validation, titles

from .page import Block, Page, Table, VerdictLine

_METRICS = 40  # rows; the report has all of them
_TRACEBACK = 12  # lines; the notebook as it ran has all of them


def validation_page(result: Validation) -> Page:
    """Make the page: the verdict, each gate's sentence and each check, the failed cells, and each run."""
    if not result.runs and not result.live:
        return Page("nothing to validate", facts=[("note", note) for note in result.notes])
    named = titles([(run.notebook, run.parameters) for run in result.runs])
    runs = list(zip(named, result.runs, strict=True))
    return Page(
        headline(result),
        lines=_lines(result, runs),
        facts=_facts(result),
        blocks=[*(_failure(title, run) for title, run in runs if _failed(run)), *_left_out(runs)],
        tables=[*_metrics(runs), *_runs(runs)],
    )


_DIED = "the kernel died: "
"""The start of a reason that repeats the headline."""


def _lines(result: Validation, runs: Sequence[tuple[str, Run]]) -> list[VerdictLine]:
    lines = [VerdictLine(gate.verdict, gate.sentence, gate.origin) for gate in result.live]
    for title, run in runs:
        of = f"{title}: " if len(runs) > 1 else ""
        if run.status not in ("done", "not run"):
            lines.append(VerdictLine("fail", "; ".join(filter(None, (f"{title}: {_end(run)}", unjudged_words(run))))))
        judged = [gate for gate in run.gates if gate not in run.unjudged]
        lines += [VerdictLine(gate.verdict, f"{of}{gate.sentence}", gate.origin) for gate in judged]
        for check in run.checks:
            said = f"{check.name}: {'pass' if check.passed else 'fail'}"
            detail = f", {check.detail}" if check.detail else ""
            lines.append(VerdictLine("pass" if check.passed else "fail", f"{of}{said}{detail}", "check"))
    return sorted(lines, key=lambda line: URGENCY[line.verdict])


def _end(run: Run) -> str:
    if run.error is not None and run.status == "raised":
        return f"cell {run.error.cell} raised {run.error.ename}: {' '.join(run.error.evalue.split())}"
    why = run.detail.splitlines()[0] if run.detail else ""
    if run.status == "timeout" and why:
        return why  # it names the cell
    where = f" in cell {run.error.cell}" if run.error is not None else ""
    return f"{ENDED[run.status]}{where}{f': {why.removeprefix(_DIED)}' if why else ''}"


def _facts(result: Validation) -> list[tuple[str, str]]:
    against = "itself, being stable" if result.stable and result.stable == result.snapshot else result.stable
    facts = [
        ("validated", result.snapshot or "no model: the notebooks ask none"),
        ("compared with", against or ""),
        ("endpoint", result.endpoint or ""),
        ("forced", result.forced or ""),
        *(("note", note) for note in result.notes),
        ("no report", result.unreported),
        ("report", Path(result.report).absolute().as_uri() if result.report else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _failed(run: Run) -> bool:
    return run.status != "not run" and bool(run.error or run.detail)


def _left_out(runs: Iterable[tuple[str, Run]]) -> list[Block]:
    """List the reasons of runs that did not run: mostly one reason for all."""
    why: dict[str, list[str]] = {}
    for title, run in runs:
        if run.status == "not run":
            why.setdefault(run.detail, []).append(title)
    blocks = []
    for detail, names in why.items():
        others = f" and {len(names) - 3} more" if len(names) > 3 else ""
        blocks.append(Block(f"not run: {', '.join(names[:3])}{others}", detail.splitlines()))
    return blocks


def _failure(title: str, run: Run) -> Block:
    lines = run.detail.splitlines()
    if run.error is not None:
        # Without IPython's rule above a traceback.
        shown = [line for line in run.error.traceback.splitlines() if line.strip() and not re.fullmatch(r"-+", line)]
        lines += [line for line in shown[-_TRACEBACK:] if line not in lines]
    what = _end(run) if run.status != "done" else "the run with stable"
    if run.status != "done" and (run.status != "raised" or run.error is None):
        lines = [line for line in lines if line not in run.detail.splitlines()[:1]]  # the title has said it
    if run.executed:
        lines.append(f"the notebook as it ran: {run.executed}")
    if run.executed_stable and run.status == "done":
        lines.append(f"asked of stable: {run.executed_stable}")
    return Block(f"{title}: {what}", lines)


def _runs(runs: Iterable[tuple[str, Run]]) -> list[Table]:
    rows = [
        (title, ENDED[run.status], run.verdict if run.status != "not run" else "–", f"{run.seconds:.1f} s")
        for title, run in runs
    ]
    return [Table("", ("notebook", "ran", "verdict", "time"), rows)]


def _metrics(runs: Sequence[tuple[str, Run]]) -> list[Table]:
    rows = []
    for title, run in runs:
        stable = {metric_label(metric.name, metric.group): metric for metric in run.stable_metrics}
        for metric in run.metrics:
            other = stable.get(metric_label(metric.name, metric.group))
            found = (
                metric_label(metric.name, metric.group),
                f"{metric.value:.5g}",
                f"{other.value:.5g}" if other else "–",
                str(metric.n or "–"),
            )
            rows.append((*([title] if len(runs) > 1 else []), *found))
    if not rows:
        return []
    head = (*(["notebook"] if len(runs) > 1 else []), "metric", "candidate", "stable", "rows")
    more = f" ({_METRICS} of {len(rows)})" if len(rows) > _METRICS else ""
    return [Table(f"what was measured{more}", head, rows[:_METRICS])]
