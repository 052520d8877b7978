"""The data behind the model: whether the table that it was fitted on is outdated, and what it was judged by."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.tables import Table, table_of
from jupyter_deploy.capture.training_table import NotFound, Training, unwrapped
from jupyter_deploy.domain.capture.findings import Finding, Severity
from jupyter_deploy.domain.capture.training import CHECK
from jupyter_deploy.notebooks.safe_eval import CannotLook, look
from jupyter_deploy.notebooks.syntax import Statement, called_by, loads, names_of, now, root, stored

from .subject import Subject

_SCORING = ("score", "evaluate")
_JUDGING = (*_SCORING, "predict", "predict_proba", "decision_function")
_METRICS = ("_loss", "_curve", "_kappa", "_corrcoef", "_deviance", "auc")
_VALIDATIONS = ("cross_val", "learning_curve", "validation_curve", "permutation_test_score")

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
    known, on_itself, others = set(), None, _is_searched(subject, training)
    for place, call in _judging_calls(subject, training):
        expression = unwrapped(call.args[0], training.statements[:place])
        said, cell = ast.unparse(expression), training.statements[place].cell
        if said in known:
            continue
        known.add(said)
        judging = called_by(call) in _SCORING or _meets_a_metric(training.statements, place, call)
        value = _looked_at(subject, training, place, expression)
        if value is training.source or training.expression in (said, _part_of(expression)):
            on_itself = cell if judging else on_itself
            continue
        pair = None if value is None else _comparable(training.table, table_of(value))
        others = others or judging or pair is not None  # what it is judged by may be known to nobody but the reader
        share = _share(*pair) if pair else 0
        if pair and judging and share:
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


def _looked_at(subject: Subject, training: Training, place: int, expression: ast.expr) -> Any:
    """What the model was asked; None: it has been changed since, or cannot be had without running something."""
    changed = {name for s in training.statements[place + 1 :] for name in s.effects.touched}
    if changed & set(loads(expression)):
        return None
    try:
        return look(expression, subject.live.namespace)
    except CannotLook:
        return None


def _part_of(expression: ast.expr) -> str:
    """Of what it is a part by position: ``X`` of ``X[:3]``, ``X.iloc[0:1]`` and ``X.head()``."""
    while True:
        match expression:
            case ast.Subscript(value=inner) | ast.Attribute(value=inner, attr="iloc" | "loc"):
                expression = inner
            case ast.Call(func=ast.Attribute(value=inner, attr="head" | "tail" | "sample")):
                expression = inner
            case _:
                return ast.unparse(expression)


def _meets_a_metric(statements: Sequence[Statement], place: int, call: ast.Call) -> bool:
    """Whether answers are compared with something, by a metric or an operator, at once or in a later statement."""
    tree = statements[place].tree
    names = set(stored(tree))
    return any(
        call in ast.walk(judge) or names & set(loads(judge))
        for statement in statements[place:]
        for judge in ast.walk(statement.tree)
        if _is_judge(judge)
    )


def _is_judge(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = called_by(node).lower()
        return name.endswith(_METRICS) or any(word in name for word in ("score", "error", "confusion", "report"))
    return isinstance(node, ast.Compare) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub))


def _is_searched(subject: Subject, training: Training) -> bool:
    """Whether the notebook judges by cross-validation, or chose the model by a search."""
    names = names_of(subject.live.source.variable)
    calls = [n for s in training.statements for n in ast.walk(s.tree) if isinstance(n, ast.Call)]
    validated = any(
        called_by(call).startswith(_VALIDATIONS) and names & {n for argument in call.args for n in loads(argument)}
        for call in calls
    )
    return validated or any(called_by(call).endswith(("SearchCV", "create_study")) for call in calls)


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
