"""Which table a model was fitted on, as the executed cells tell, and what that table was read from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.capture.frameworks import framework_of, frameworks
from jupyter_deploy.domain.capture.training import Period, SourceFile, TrainingData
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.notebooks.safe_eval import CannotLook, look
from jupyter_deploy.notebooks.syntax import Statement, called_by, loads, names_of, now, root, statements_run, stored
from jupyter_deploy.system.digests import file_sha256

from .tables import Table, table_of

_FITS = ("fit", "fit_transform", "fit_resample", "partial_fit", "train")
_KEYWORDS = ("X", "data", "x", "train_set", "dtrain", "train_data", "dataset", "exog")
_READERS = ("open", "load", "loadtxt", "genfromtxt", "fromfile", "load_svmlight_file", "read", "memmap")

MAX_HASHED = 200_000_000
"""Bytes of a source file that are hashed in passing."""


@dataclass(frozen=True)
class Training:
    """A table that a model was fitted on.

    Attributes
    ----------
    source
        What ``table`` was made of: the object itself.
    expression, cell
        How the notebook calls it, and where the model was fitted on it; None: it was named.
    statements, place
        All statements of the executed cells, and which of them is the fit.
    files
        The files that the cells read it from, each with the execution count of the cell that did.
    """

    table: Table
    source: Any
    expression: str | None = None
    cell: int | None = None
    statements: Sequence[Statement] = ()
    place: int = 0
    files: Mapping[Path, int] = field(default_factory=dict)
    periods: Mapping[str, Period] = field(default_factory=dict)


@dataclass(frozen=True)
class NotFound:
    """Why the table is not known."""

    why: str


def look_at_training(
    live: Live, features: tuple[str, ...] | None
) -> tuple[Training | NotFound | None, TrainingData | None]:
    """``find_training`` and what is kept of it. No table, however odd, keeps a model from being deployed."""
    try:
        found = find_training(live, features)
        return found, training_data(found, live.project) if isinstance(found, Training) else None
    except Exception as error:  # noqa: BLE001 - tables hold whatever their libraries allow
        return NotFound(f"looking for it raised {type(error).__name__}: {error}"), None


def find_training(live: Live, features: tuple[str, ...] | None) -> Training | NotFound | None:
    """The table that a live model was fitted on; None: nothing says that it was fitted at all.

    The one that was named, else the last that a fit in the executed cells took, if it can be looked at without running
    anything, has not been changed since, and is as wide as the model says.
    """
    if live.training is not None:
        table = table_of(live.training)
        return Training(table, live.training) if table else NotFound(f"a {type(live.training).__name__} is no table")
    variable = live.source.variable
    if not live.cells or not variable or not _is_fitted(live.model, features):
        return None
    if not (names := names_of(variable)):
        return None
    statements = statements_run(live.cells, live.failed)  # a fit that raised fitted nothing
    why = "no cell that fits it was found"
    for place, expression, exact in _fits(statements, names, live.namespace):
        said = ast.unparse(expression)
        try:
            value = look(expression, live.namespace)
        except CannotLook:
            why = f"what it was fitted on, '{said}', cannot be looked at without running it" if exact else why
            continue
        table = table_of(value)
        if table is None:
            continue
        read = set(loads(expression))
        touched = [s.cell for s in statements[place + 1 :] if read & s.effects.touched]
        if touched:
            return NotFound(f"'{said}' was changed after the fit (In [{touched[0]}])")
        if not _is_of(table, live.model, features, exact=exact):
            why = f"'{said}' has not the columns that the model was fitted on"
            continue
        files, periods = _origins(statements[: place + 1], expression, live.namespace)
        return Training(table, value, said, statements[place].cell, statements, place, files, periods)
    return NotFound(why)


def training_data(training: Training, project: Path) -> TrainingData:
    """What is kept of it."""
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
        files={_told(path, project): _file(path) for path in training.files},
    )


def _is_fitted(model: Any, features: tuple[str, ...] | None) -> bool:
    return features is not None or framework_of(model).may_be_trained(model)


def _fits(
    statements: Sequence[Statement], names: set[str], namespace: Mapping[str, Any]
) -> Iterator[tuple[int, ast.expr, bool]]:
    """What may be the table, last first: the statement's place, the expression, and whether it must fit exactly.

    Walked back from the last statement to the one that made the model. ``search.best_estimator_`` and ``m.fit()``
    lead to what ``search`` and ``m`` were made by.
    """
    wanted = set(names)
    for place in range(len(statements) - 1, -1, -1):
        node = statements[place].tree
        loops = [n for n in now(node) if isinstance(n, ast.For)]
        passing = wanted.union(*(stored(loop.target) for loop in loops))  # the model itself, and a batch
        calls = list(_fitting_calls(node, wanted))
        found = [(argument, exact) for call, exact in calls for argument in _arguments(call)[: 1 if exact else None]]
        if found:
            found += [(loop.iter, False) for loop in loops]  # over batches
        for argument, exact in found:
            expression = unwrapped(argument, statements[:place])
            if not passing & set(loads(expression)):
                yield place, expression, exact
        if isinstance(node, ast.Assign) and wanted & set(stored(node)):
            maker = root(node.value, of_result=True)
            made_by = namespace.get(maker) if maker else None
            if made_by is None or isinstance(made_by, type | ModuleType | FunctionType):
                return
            wanted = {str(maker)}


def _fitting_calls(node: ast.stmt, wanted: set[str]) -> Iterator[tuple[ast.Call, bool]]:
    """Calls that may have fitted the model, and whether what they take has the model's columns and no more."""
    made_here = [n.value for n in now(node) if isinstance(n, ast.Assign | ast.AnnAssign) and wanted & set(stored(n))]
    for call in _calls(node):
        called = called_by(call)
        of_model = isinstance(call.func, ast.Attribute) and root(call.func.value, of_result=True) in wanted
        if (of_model and called in _FITS) or any(_makes(assigned, call) for assigned in made_here):
            yield call, called in _FITS and called != "train"
        elif ("train" in called or "fit" in called) and wanted & {a.id for a in call.args if isinstance(a, ast.Name)}:
            yield call, False  # train(net, loader)
        elif called in wanted and any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in now(node)):
            yield call, False  # net(x) in a loop


def _calls(node: ast.AST) -> list[ast.Call]:
    """Outer ones first: the fit, then what it is a fit of."""
    return [n for n in now(node) if isinstance(n, ast.Call)]


def _makes(value: ast.expr | None, call: ast.Call) -> bool:
    """Whether a call makes what is assigned: both of ``smf.ols(…).fit()``, but none in their arguments."""
    while isinstance(value, ast.Call | ast.Attribute):
        if value is call:
            return True
        value = value.func if isinstance(value, ast.Call) else value.value
    return False


def _arguments(call: ast.Call) -> list[ast.expr]:
    """What may be the table, the likeliest first."""
    named = {word.arg: word.value for word in call.keywords if word.arg}
    answers_first = any(called_by(call) in framework.answers_first for framework in frameworks())
    places = call.args[1::-1] if answers_first else call.args
    return [*(named[name] for name in _KEYWORDS if name in named), *places]


def unwrapped(node: ast.expr, before: Sequence[Statement]) -> ast.expr:
    """The table that a library wraps: ``X`` of ``xgb.DMatrix(X, y)``, also where that stands in an earlier cell."""
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


def _origins(
    statements: Sequence[Statement], expression: ast.expr, namespace: Mapping[str, Any]
) -> tuple[dict[Path, int], dict[str, Period]]:
    """The files that a table was read from, and the periods of the tables that it was made from."""
    needed = set(loads(expression))
    ever = set(needed)
    files: dict[Path, int] = {}
    for statement in reversed(statements):
        effects = statement.effects
        if not needed & effects.touched:
            continue
        # What held a name before it was bound anew went nowhere.
        needed = (needed - (effects.binds - effects.may_bind - effects.reads)) | effects.reads
        ever |= effects.reads
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
            value = look(candidate, namespace)
            if isinstance(value, str | Path) and Path(value).is_file():
                yield Path(value).absolute()
        except (CannotLook, OSError, ValueError):
            continue


def _told(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _file(path: Path) -> SourceFile:
    about = path.stat()
    return SourceFile(
        size=about.st_size,
        modified=datetime.fromtimestamp(about.st_mtime, UTC),
        sha256=file_sha256(path) if about.st_size <= MAX_HASHED else None,
    )
