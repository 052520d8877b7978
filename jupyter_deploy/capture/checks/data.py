"""Checks of the data behind the model: an outdated training table, and leakage into its evaluation."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.tables import Table, table_of
from jupyter_deploy.capture.training_table import TrainingTable, TrainingUnknown, unwrapped
from jupyter_deploy.domain.capture.findings import Finding, Severity
from jupyter_deploy.domain.capture.training import CHECK
from jupyter_deploy.notebooks.safe_eval import NotEvaluable, evaluate
from jupyter_deploy.notebooks.syntax import Statement, called_by, loads, names_of, now, root, stored

from .candidate import Candidate

_SCORING = ("score", "evaluate")
_JUDGING = (*_SCORING, "predict", "predict_proba", "decision_function")
_METRICS = ("_loss", "_curve", "_kappa", "_corrcoef", "_deviance", "auc")
_VALIDATIONS = ("cross_val", "learning_curve", "validation_curve", "permutation_test_score")

NATURAL = 0.05
"""The share of rows that may equal training rows by chance, beyond the duplicates within the training table."""


def outdated_data(candidate: Candidate) -> Iterator[Finding]:
    """Check ``outdated-data``: an unknown training table, or one whose file has changed since it was read."""
    training = candidate.training
    if isinstance(training, TrainingUnknown):
        yield Finding(
            check=CHECK,
            severity="note",
            message=f"the training table of the model is unknown: {training.why}",
            remedy="give it with --training",
        )
    elif training is not None:
        for path, cell in training.files.items():
            # A cell had ended before the next one began.
            end = min((when for number, when in candidate.live.began.items() if number > cell), default=None)
            if end is not None and path.stat().st_mtime > end:
                yield Finding(
                    check=CHECK,
                    severity="warning",
                    message=f"{path.name} has changed since {_called(training)} was read from it",
                    remedy="run that cell again, and fit again",
                    cell=cell,
                )


def leakage(candidate: Candidate) -> Iterator[Finding]:
    """Check ``leakage``: training rows in the example or in the evaluation data."""
    training = candidate.training
    if not isinstance(training, TrainingTable):
        return
    if candidate.seen.signature.container != "call":
        pair = _comparable(training.table, table_of(candidate.seen.example))
        count = round(_share(*pair) * pair[1].rows) if pair else 0
        if count:
            yield _finding(
                f"{count} of the example's {pair[1].rows if pair else 0} rows are rows of {_called(training)}: "
                "harmless, unless the example serves to evaluate the model",
                "note",
                training.cell,
            )
    yield from _evaluation_leaks(candidate, training)


def _evaluation_leaks(candidate: Candidate, training: TrainingTable) -> Iterator[Finding]:
    """Check the tables of later cells that the model is evaluated on."""
    checked, on_itself, others = set(), None, _is_searched(candidate, training)
    for index, call in _prediction_calls(candidate, training):
        expression = unwrapped(call.args[0], training.statements[:index])
        text, cell = ast.unparse(expression), training.statements[index].cell
        if text in checked:
            continue
        checked.add(text)
        judging = called_by(call) in _SCORING or _feeds_a_metric(training.statements, index, call)
        value = _evaluated(candidate, training, index, expression)
        if value is training.source or training.expression in (text, _part_of(expression)):
            on_itself = cell if judging else on_itself
            continue
        pair = None if value is None else _comparable(training.table, table_of(value))
        others = others or judging or pair is not None  # its use may be known to the reader alone
        share = _share(*pair) if pair else 0
        if pair and judging and share:
            much = share > _twins(pair[0]) + NATURAL
            yield _finding(
                f"{share:.1%} of the rows of {text}, the evaluation data, are rows of {_called(training)}",
                "warning" if much else "note",
                cell,
                "split the data before the fit, and remove duplicates" if much else "",
            )
    if on_itself is not None and not others:
        yield _finding(
            f"the model is evaluated only on {_called(training)}, its training table",
            "warning",
            on_itself,
            "evaluate it on rows outside the training table",
        )


def _evaluated(candidate: Candidate, training: TrainingTable, index: int, expression: ast.expr) -> Any:
    """Evaluate the argument of a prediction; None: changed since, or not available without running code."""
    changed = {name for s in training.statements[index + 1 :] for name in s.effects.touched}
    if changed & set(loads(expression)):
        return None
    try:
        return evaluate(expression, candidate.live.namespace)
    except NotEvaluable:
        return None


def _part_of(expression: ast.expr) -> str:
    """Return the sliced table's expression: ``X`` for ``X[:3]``, ``X.iloc[0:1]`` and ``X.head()``."""
    while True:
        match expression:
            case ast.Subscript(value=inner) | ast.Attribute(value=inner, attr="iloc" | "loc"):
                expression = inner
            case ast.Call(func=ast.Attribute(value=inner, attr="head" | "tail" | "sample")):
                expression = inner
            case _:
                return ast.unparse(expression)


def _feeds_a_metric(statements: Sequence[Statement], index: int, call: ast.Call) -> bool:
    """Whether a metric or an operator compares the answers, at once or in a later statement."""
    tree = statements[index].tree
    names = set(stored(tree))
    return any(
        call in ast.walk(judge) or names & set(loads(judge))
        for statement in statements[index:]
        for judge in ast.walk(statement.tree)
        if _is_judge(judge)
    )


def _is_judge(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = called_by(node).lower()
        return name.endswith(_METRICS) or any(word in name for word in ("score", "error", "confusion", "report"))
    return isinstance(node, ast.Compare) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub))


def _is_searched(candidate: Candidate, training: TrainingTable) -> bool:
    """Whether the notebook uses cross-validation or a hyperparameter search."""
    names = names_of(candidate.live.source.variable)
    calls = [n for s in training.statements for n in ast.walk(s.tree) if isinstance(n, ast.Call)]
    validated = any(
        called_by(call).startswith(_VALIDATIONS) and names & {n for argument in call.args for n in loads(argument)}
        for call in calls
    )
    return validated or any(called_by(call).endswith(("SearchCV", "create_study")) for call in calls)


def _prediction_calls(candidate: Candidate, training: TrainingTable) -> Iterator[tuple[int, ast.Call]]:
    names = names_of(candidate.live.source.variable)
    for index in range(training.fit_index + 1, len(training.statements)):
        for node in now(training.statements[index].tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if called_by(node) in _JUDGING and root(node.func.value, of_result=True) in names:
                yield index, node


def _comparable(training: Table, other: Table | None) -> tuple[Table, Table] | None:
    """Return both tables with the same columns, the training table whole; None: not comparable."""
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
    """Return the share of duplicate rows: with few distinct values per column, equal rows are no leak."""
    _, counts = np.unique(table.hashes, return_counts=True)
    return float(counts[counts > 1].sum() / max(table.rows, 1))


def _called(training: TrainingTable) -> str:
    return training.expression or "the training table"


def _finding(message: str, severity: Severity, cell: int | None, remedy: str = "") -> Finding:
    return Finding(check="leakage", severity=severity, message=message, remedy=remedy, cell=cell)
