"""The training table of a model, found in the executed cells, and the files behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.capture.frameworks import framework_of, frameworks
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.training import Period, SourceFile, SourceQuery, TrainingData
from jupyter_deploy.notebooks.safe_eval import NotEvaluable, evaluate
from jupyter_deploy.notebooks.syntax import Statement, called_by, loads, names_of, now, root, statements_run, stored
from jupyter_deploy.system.digests import file_sha256

from .source_queries import queries_in
from .tables import Table, table_of

_FITS = ("fit", "fit_transform", "fit_resample", "partial_fit", "train")
_KEYWORDS = ("X", "data", "x", "train_set", "dtrain", "train_data", "dataset", "exog")
_READERS = ("open", "load", "loadtxt", "genfromtxt", "fromfile", "load_svmlight_file", "read", "memmap")

MAX_HASHED = 200_000_000
"""Size limit in bytes of a source file that is hashed."""


@dataclass(frozen=True)
class TrainingTable:
    """A model's training table.

    Attributes
    ----------
    source
        The object behind ``table``.
    expression, cell
        The table's expression, and the cell of the fit; None: the user named the table.
    statements, fit_index
        All statements of the executed cells, and the index of the fit.
    files
        The files that the cells read it from, each with the execution count of the cell.
    queries
        The queries of databases that it was read by, the last one first.
    """

    table: Table
    source: Any
    expression: str | None = None
    cell: int | None = None
    statements: Sequence[Statement] = ()
    fit_index: int = 0
    files: Mapping[Path, int] = field(default_factory=dict)
    queries: Sequence[SourceQuery] = ()
    periods: Mapping[str, Period] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingUnknown:
    """The reason why the table is unknown."""

    why: str


def describe_training(
    live: Live, features: tuple[str, ...] | None
) -> tuple[TrainingTable | TrainingUnknown | None, TrainingData | None]:
    """Return ``find_training`` and its stored description. An unusual table must not prevent a deploy."""
    try:
        training = find_training(live, features)
        return training, training_data(training, live.project) if isinstance(training, TrainingTable) else None
    except Exception as error:  # noqa: BLE001 - a table may raise any error of its library
        return TrainingUnknown(f"the search for it raised {type(error).__name__}: {error}"), None


def find_training(live: Live, features: tuple[str, ...] | None) -> TrainingTable | TrainingUnknown | None:
    """Return the training table of a live model; None: no sign of a fit.

    The named table, else the argument of the last fit in the executed cells, if it can be evaluated safely, has not
    changed since, and is as wide as the model requires.
    """
    if live.training is not None:
        table = table_of(live.training)
        return (
            TrainingTable(table, live.training)
            if table
            else TrainingUnknown(f"a {type(live.training).__name__} is not a table")
        )
    variable = live.source.variable
    if not live.python_cells or not variable or not _is_fitted(live.model, features):
        return None
    if not (names := names_of(variable)):
        return None
    statements = statements_run(live.cells, live.failed)  # a fit that raised does not count
    reason = "no cell fits it"
    for index, expression, exact in _fits(statements, names, live.namespace):
        text = ast.unparse(expression)
        try:
            value = evaluate(expression, live.namespace)
        except NotEvaluable:
            reason = f"its argument '{text}' cannot be evaluated without running code" if exact else reason
            continue
        table = table_of(value)
        if table is None:
            continue
        read = set(loads(expression))
        touched = [s.cell for s in statements[index + 1 :] if read & s.effects.touched]
        if touched:
            return TrainingUnknown(f"'{text}' was changed after the fit (In [{touched[0]}])")
        if not _is_of(table, live.model, features, exact=exact):
            reason = f"the columns of '{text}' differ from those of the fit"
            continue
        behind = _statements_behind(statements[: index + 1], expression)
        files, periods = _origins(behind, expression, live.namespace)
        queries = [query for one in behind for query in queries_in(one, live.namespace, live.began)]
        cell = statements[index].cell
        return TrainingTable(table, value, text, cell, statements, index, files, queries, periods)
    return TrainingUnknown(reason)


def training_data(training: TrainingTable, project: Path) -> TrainingData:
    """Return the stored description."""
    table = training.table
    return TrainingData(
        expression=training.expression,
        cell=training.cell,
        rows=table.rows,
        width=table.width,
        columns=table.described(),
        sha256=table.sha256,
        hashed_rows=len(table.hashes),
        periods={**training.periods, **table.periods()},
        files={_displayed_path(path, project): _file(path) for path in training.files},
        queries=tuple(training.queries),
    )


def _is_fitted(model: Any, features: tuple[str, ...] | None) -> bool:
    return features is not None or framework_of(model).may_be_trained(model)


def _fits(
    statements: Sequence[Statement], names: set[str], namespace: Mapping[str, Any]
) -> Iterator[tuple[int, ast.expr, bool]]:
    """Yield possible tables, last first: the statement's index, expression, and whether columns must match exactly.

    The walk goes back from the last statement to the one that made the model. ``search.best_estimator_`` and
    ``m.fit()`` continue with the statements behind ``search`` and ``m``.
    """
    targets = set(names)
    for index in range(len(statements) - 1, -1, -1):
        node = statements[index].tree
        loops = [n for n in now(node) if isinstance(n, ast.For)]
        passing = targets.union(*(stored(loop.target) for loop in loops))  # the model itself, and a batch
        calls = list(_fitting_calls(node, targets))
        arguments = [
            (argument, exact) for call, exact in calls for argument in _arguments(call)[: 1 if exact else None]
        ]
        if arguments:
            arguments += [(loop.iter, False) for loop in loops]  # over batches
        for argument, exact in arguments:
            expression = unwrapped(argument, statements[:index])
            if not passing & set(loads(expression)):
                yield index, expression, exact
        if isinstance(node, ast.Assign) and targets & set(stored(node)):
            maker = root(node.value, of_result=True)
            made_by = namespace.get(maker) if maker else None
            if made_by is None or isinstance(made_by, type | ModuleType | FunctionType):
                return
            targets = {str(maker)}


def _fitting_calls(node: ast.stmt, targets: set[str]) -> Iterator[tuple[ast.Call, bool]]:
    """Yield calls that may have fitted the model, and whether their argument has exactly the model's columns."""
    assigned_values = [
        n.value for n in now(node) if isinstance(n, ast.Assign | ast.AnnAssign) and targets & set(stored(n))
    ]
    for call in _calls(node):
        called = called_by(call)
        of_model = isinstance(call.func, ast.Attribute) and root(call.func.value, of_result=True) in targets
        if (of_model and called in _FITS) or any(_makes(assigned, call) for assigned in assigned_values):
            yield call, called in _FITS and called != "train"
        elif ("train" in called or "fit" in called) and targets & {a.id for a in call.args if isinstance(a, ast.Name)}:
            yield call, False  # train(net, loader)
        elif called in targets and any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in now(node)):
            yield call, False  # net(x) in a loop


def _calls(node: ast.AST) -> list[ast.Call]:
    """Return the calls, outer ones first: the fit, then the constructor."""
    return [n for n in now(node) if isinstance(n, ast.Call)]


def _makes(value: ast.expr | None, call: ast.Call) -> bool:
    """Whether a call makes the assigned value: both calls of ``smf.ols(…).fit()``, but none in their arguments."""
    while isinstance(value, ast.Call | ast.Attribute):
        if value is call:
            return True
        value = value.func if isinstance(value, ast.Call) else value.value
    return False


def _arguments(call: ast.Call) -> list[ast.expr]:
    """Return the arguments that may be the table, the likeliest first."""
    named = {word.arg: word.value for word in call.keywords if word.arg}
    answers_first = any(called_by(call) in framework.answers_first for framework in frameworks())
    positional = call.args[1::-1] if answers_first else call.args
    return [*(named[name] for name in _KEYWORDS if name in named), *positional]


def unwrapped(node: ast.expr, before: Sequence[Statement]) -> ast.expr:
    """Return the table within a library's wrapper: ``X`` of ``xgb.DMatrix(X, y)``, also from an earlier cell."""
    if isinstance(node, ast.Name):
        for statement in reversed(before):
            if node.id in stored(statement.tree):
                value = getattr(statement.tree, "value", None)
                return unwrapped(value, ()) if isinstance(value, ast.Call) and _wraps(value) else node
    elif isinstance(node, ast.Call) and _wraps(node) and (arguments := _arguments(node)):
        return unwrapped(arguments[0], before)
    return node


def _wraps(call: ast.Call) -> bool:
    name = called_by(call)
    return any(name in framework.wrappers for framework in frameworks())


def _is_of(table: Table, model: Any, features: tuple[str, ...] | None, *, exact: bool) -> bool:
    if features is not None and table.named:
        return tuple(table.columns) == features if exact else bool(set(features) & set(table.columns))
    width = framework_of(model).width(model)
    if exact and width is not None:
        return table.width == width
    return True


def _statements_behind(statements: Sequence[Statement], expression: ast.expr) -> list[Statement]:
    """Return the statements that made the value of an expression, the last one first."""
    needed = set(loads(expression))
    behind = []
    for statement in reversed(statements):
        effects = statement.effects
        if not needed & effects.touched:
            continue
        # An earlier value of a rebound name has no effect.
        needed = (needed - (effects.binds - effects.may_bind - effects.reads)) | effects.reads
        behind.append(statement)
    return behind


def _origins(
    behind: Sequence[Statement], expression: ast.expr, namespace: Mapping[str, Any]
) -> tuple[dict[Path, int], dict[str, Period]]:
    """Return the files that a table was read from, and the periods of the tables behind it."""
    ever = set(loads(expression)).union(*(statement.effects.reads for statement in behind))
    files: dict[Path, int] = {}
    for statement in behind:
        for call in _calls(statement.tree):
            for path in _read_by(call, namespace):
                files.setdefault(path, statement.cell)
    periods = {}
    for name in sorted(ever):
        value = namespace.get(name)
        if hasattr(value, "iloc") and (table := table_of(value)) is not None:
            periods.update({f"{name}.{column}": period for column, period in table.periods().items()})
    return files, periods


def _read_by(call: ast.Call, namespace: Mapping[str, Any]) -> Iterator[Path]:
    name = called_by(call)
    if not (name.startswith(("read_", "scan_")) or name in _READERS):
        return
    named = [word.value for word in call.keywords if word.arg in ("filepath_or_buffer", "path", "io", "file")]
    candidates = [*call.args[:1], *named]
    if isinstance(call.func, ast.Attribute) and name.startswith(("read_text", "read_bytes", "open")):
        candidates.append(call.func.value)  # Path("x").read_text()
    for candidate in candidates:
        try:
            value = evaluate(candidate, namespace)
            if isinstance(value, str | Path) and Path(value).is_file():
                yield Path(value).absolute()
        except (NotEvaluable, OSError, ValueError):
            continue


def _displayed_path(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _file(path: Path) -> SourceFile:
    about = path.stat()
    return SourceFile(
        size=about.st_size,
        modified=datetime.fromtimestamp(about.st_mtime, UTC),
        sha256=file_sha256(path) if about.st_size <= MAX_HASHED else None,
    )
