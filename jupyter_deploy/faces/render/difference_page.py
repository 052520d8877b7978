"""The page of a difference: a summary, a table for each subject, the changed lines, and the answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_deploy.domain.capture.difference import Answers, Change, Difference
from jupyter_deploy.domain.capture.source_changes import SourceChange
from jupyter_deploy.domain.release.endpoint import Changes

from .page import Block, Page, Table, short

SHOWN_HUNKS = 40
SHOWN_LINES = 60  # of one hunk: a new cell may be long
SHOWN_ROWS = 40
SHOWN_ANSWERS = 10
_ALL = "-o json has all"


def changed(changes: Changes) -> str:
    """Summarise a release's changes in one line."""
    return ", ".join(changes.words) or NOTHING


NOTHING = "nothing that is compared; what was learnt may differ"


def difference_page(result: Difference) -> Page:
    """Make the page of a difference."""
    facts = [("in short", ", ".join(result.words) or NOTHING), *_sizes(result), ("answers", _answers(result.answers))]
    tables = [
        table
        for title, changes in (
            ("model", result.model),
            ("features", result.features),
            ("hyperparameters", result.hyperparameters),
            ("training data", result.training),
            ("metrics", result.metrics),
            ("dependencies", result.dependencies),
            ("signature", result.signature),
        )
        for table in _table(title, changes)
    ]
    if result.breaks:
        title = f"why {result.b} (the candidate) cannot take the place of {result.a} (stable)"
        tables.append(Table(title, ("where",), [(why,) for why in result.breaks]))
    if result.answers.changes:
        shown = result.answers.changes[:SHOWN_ANSWERS]
        rows = [(*_both(c.before, c.after), short(c.instance)) for c in shown]
        title = f"{len(rows)} of {result.answers.differ} answers that differ"
        tables.append(Table(title, (result.a, result.b, "instance"), rows))
    blocks = _blocks([*(("cell", c) for c in result.cells), *(("file", c) for c in result.code)])
    return Page(f"{result.b} against {result.a}", facts=facts, tables=tables, blocks=blocks)


def _sizes(result: Difference) -> list[tuple[str, str]]:
    """Count the changes of the notebook and of the project."""
    return [(name, _counts(changes)) for name, changes in (("cells", result.cells), ("code", result.code)) if changes]


def _counts(changes: Iterable[SourceChange]) -> str:
    kinds = [change.kind for change in changes]
    counted = [f"{kinds.count(kind)} {kind}" for kind in ("changed", "added", "removed") if kind in kinds]
    return ", ".join(counted)


def _answers(answers: Answers) -> str:
    if answers.problem:
        return f"not compared: {answers.problem}"
    largest = f"; largest difference {answers.largest:.3g}" if answers.largest else ""
    return f"{answers.differ} of {answers.compared} differ{largest} ({answers.basis})"


def _table(title: str, changes: Sequence[Change]) -> list[Table]:
    if not changes:
        return []
    rows: list[tuple[str, ...]] = [(c.name, c.kind, *_before_and_after(c)) for c in changes[:SHOWN_ROWS]]
    if len(changes) > SHOWN_ROWS:
        rows.append((f"… and {len(changes) - SHOWN_ROWS} more ({_ALL})", "", "", ""))
    return [Table(title, ("name", "", "before", "after"), rows)]


def _before_and_after(change: Change) -> tuple[str, str]:
    if change.kind == "added":
        return "", _word(change.after)
    return (_word(change.before), "") if change.kind == "removed" else _both(change.before, change.after)


def _word(value: Any) -> str:
    return short("none" if value is None else value)


def _both(before: Any, after: Any) -> tuple[str, str]:
    """Shorten both values so that the difference is visible: long ones start just before it."""
    one, other = _word(before), _word(after)
    if one != other or before == after:
        return one, other
    texts = [short("none" if value is None else value, limit=_WHOLE) for value in (before, after)]
    if texts[0] == texts[1]:
        return f"{one} ({type(before).__name__})", f"{other} ({type(after).__name__})"
    pairs = enumerate(zip(*texts, strict=False))
    differ = next((place for place, (a, b) in pairs if a != b), min(map(len, texts)))
    start = max(differ - _BEFORE, 0)
    return short(f"…{texts[0][start:]}"), short(f"…{texts[1][start:]}")


_BEFORE = 30  # characters before the first difference
_WHOLE = 1_000_000


def _blocks(changes: Sequence[tuple[str, SourceChange]]) -> list[Block]:
    """Return at most ``SHOWN_HUNKS`` hunks, and the number of the others."""
    blocks, shown, all_hunks = [], 0, sum(len(change.hunks) for _, change in changes)
    for what, change in changes:
        hunks = change.hunks[: SHOWN_HUNKS - shown]
        if change.hunks and not hunks:
            break
        shown += len(hunks)
        lines = [line for hunk in hunks for line in _lines(hunk)]
        counts = f" (+{change.added} -{change.removed})" if change.hunks else f": {change.note}" if change.note else ""
        blocks.append(Block(f"{what} {change.name} {change.kind}{counts}", lines))
    if shown < all_hunks:
        blocks.append(Block(f"… and {all_hunks - shown} more ({_ALL})", ()))
    return blocks


def _lines(hunk: str) -> list[str]:
    lines = hunk.splitlines()
    if len(lines) <= SHOWN_LINES:
        return lines
    return [*lines[:SHOWN_LINES], f"… and {len(lines) - SHOWN_LINES} more lines ({_ALL})"]
