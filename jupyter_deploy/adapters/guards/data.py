"""The data behind the model: whether the table that it was fitted on is outdated, and what it was judged by."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from jupyter_deploy.adapters.cells import called_by, loads, names_of, now, root
from jupyter_deploy.adapters.fitting import NotFound, Training, unwrapped
from jupyter_deploy.adapters.looking import CannotLook, look
from jupyter_deploy.adapters.tables import Table, table_of
from jupyter_deploy.domain.findings import Finding, Severity
from jupyter_deploy.domain.training import CHECK

from .subject import Subject

_JUDGING = ("score", "evaluate", "predict", "predict_proba", "decision_function")

NATURAL = 0.05
"""A share of rows that by chance equal one of the training table, beyond those that have a twin in that itself."""


def outdated_data(subject: Subject) -> Iterator[Finding]:
    """A training table that is not known, or whose file has changed since it was read."""
    training = subject.training
    if isinstance(training, NotFound):
        yield Finding(
            check=CHECK,
            severity="note",
            message=f"which table the model was fitted on is not known: {training.why}",
            remedy="name it with --training",
        )
    elif training is not None:
        for path, cell in training.files.items():
            # A cell had ended when the next one began.
            ended = min((when for number, when in subject.live.began.items() if number > cell), default=None)
            if ended is not None and path.stat().st_mtime > ended:
                yield Finding(
                    check=CHECK,
                    severity="warning",
                    message=f"{path.name} has changed since {_called(training)} was read from it",
                    remedy="run that cell again, and fit again",
                    cell=cell,
                )


def leakage(subject: Subject) -> Iterator[Finding]:
    """Rows of the example, or of what the model was judged by, that it was fitted on."""
    training = subject.training
    if not isinstance(training, Training):
        return
    if subject.seen.signature.container != "call":
        pair = _comparable(training.table, table_of(subject.seen.example))
        count = round(_share(*pair) * pair[1].rows) if pair else 0
        if count:
            yield _finding(
                f"{count} of the example's {pair[1].rows if pair else 0} rows are rows of {_called(training)}: "
                "nothing to worry about, unless the example is to show how good the model is",
                "note",
                training.cell,
            )
    yield from _judged(subject, training)


def _judged(subject: Subject, training: Training) -> Iterator[Finding]:
    """The tables in later cells whose answers the model is judged by."""
    known, on_itself, others = set(), None, False
    for place, call in _judging_calls(subject, training):
        expression = unwrapped(call.args[0], training.statements[:place])
        said, cell = ast.unparse(expression), training.statements[place].cell
        changed = {name for s in training.statements[place + 1 :] for name in s.effects.touched}
        if said in known or changed & set(loads(expression)):
            continue
        known.add(said)
        try:
            value = look(expression, subject.live.namespace)
        except CannotLook:
            continue
        if value is training.source or said == training.expression:
            on_itself = cell if called_by(call) in ("score", "evaluate") else on_itself
            continue
        pair = _comparable(training.table, table_of(value))
        if pair is None:
            continue
        others = True
        share = _share(*pair)
        if share:
            much = share > _twins(pair[0]) + NATURAL
            yield _finding(
                f"{share:.1%} of the rows of {said}, by which the model is judged, are rows of {_called(training)}",
                "warning" if much else "note",
                cell,
                "split before anything is fitted, and leave no duplicates" if much else "",
            )
    if on_itself is not None and not others:
        yield _finding(
            f"the model is judged by {_called(training)}, on which it was fitted, and by nothing else",
            "warning",
            on_itself,
            "judge it by rows that it has not seen",
        )


def _judging_calls(subject: Subject, training: Training) -> Iterator[tuple[int, ast.Call]]:
    names = names_of(subject.live.source.variable)
    for place in range(training.place + 1, len(training.statements)):
        for node in now(training.statements[place].tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if called_by(node) in _JUDGING and root(node.func.value, of_result=True) in names:
                yield place, node


def _comparable(training: Table, other: Table | None) -> tuple[Table, Table] | None:
    """Both with the same columns, the training table whole; None: there is nothing to compare."""
    if other is None or not other.rows or training.chosen is not None or other.chosen is not None:
        return None
    if training.named and other.named:
        if not set(other.columns) <= set(training.columns):
            return None
        columns = {name: training.columns[name] for name in other.columns}
        return Table(columns, training.rows, named=True), other
    return (training, other) if training.width == other.width else None


def _share(training: Table, other: Table) -> float:
    return float(np.isin(other.hashes, training.hashes).mean())


def _twins(table: Table) -> float:
    """The share of rows that occur more than once: where columns have few values, equal rows are no leak."""
    _, counts = np.unique(table.hashes, return_counts=True)
    return float(counts[counts > 1].sum() / max(table.rows, 1))


def _called(training: Training) -> str:
    return training.expression or "the training table"


def _finding(message: str, severity: Severity, cell: int | None, remedy: str = "") -> Finding:
    return Finding(check="leakage", severity=severity, message=message, remedy=remedy, cell=cell)
