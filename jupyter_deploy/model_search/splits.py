"""The split into training and held-out rows, as code of the notebook, and the folds within the training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.domain.model_search.search import SearchNote, Task

from .columns import Columns
from .label import require_column
from .leakage import MOST_REPEATED, repeated_rows

FOLDS = 5
"""Of the held-out rows, and of cross-validation."""

_LEAST_DATES = 10


@dataclass(frozen=True)
class Split:
    """A way to hold rows out.

    Attributes
    ----------
    words
        A sentence's end: ``the latest fifth by 'sold'``.
    code
        The lines of the notebook that make ``train`` and ``test``, the positions of the rows.
    order
        The line that sorts the table by time before, or nothing.
    """

    kind: Literal["random", "groups", "repeated rows", "time"]
    words: str
    code: str
    imports: str = ""
    order: str = ""

    def folds(self, task: Task, seed: int) -> Callable[[Any, Any, Any], Iterator[tuple[Any, Any]]]:
        """Return a function of X, y and groups that splits the training rows for cross-validation."""
        from sklearn import model_selection

        if self.kind == "time":
            in_order = model_selection.TimeSeriesSplit(FOLDS)
            return lambda X, y, _: in_order.split(X, y)
        splitter = getattr(model_selection, _splitter(task, grouped=self.kind != "random"))
        made = splitter(FOLDS, shuffle=True, random_state=seed)
        if self.kind == "random":
            return lambda X, y, _: made.split(X, y)
        split: Callable[[Any, Any, Any], Iterator[tuple[Any, Any]]] = made.split
        return split


def _splitter(task: Task, *, grouped: bool) -> str:
    if grouped:
        return "StratifiedGroupKFold" if task == "classification" else "GroupKFold"
    return "StratifiedKFold" if task == "classification" else "KFold"


def split_of(request: AutomlRequest, table: Any, columns: Columns, task: Task, notes: list[SearchNote]) -> Split:
    """Choose the split: by time, by groups, with repeated rows on one side, or at random.

    Raises
    ------
    InvalidInput
        A named column cannot order or group the rows.
    """
    if request.group_column is not None:
        return _by_group(request, table, task)
    time = request.time_column or _only_dates(request, table, columns, notes)
    if time is not None:
        return _by_time(table, time, columns)
    share = repeated_rows(table, columns)
    if 0 < share <= MOST_REPEATED:
        words = f"{share:.2%} of the rows repeat another one: those of equal values are on one side of the split"
        notes.append(SearchNote(severity="note", message=words))
        groups = "groups = pd.util.hash_pandas_object(X, index=False)  # equal rows stay together"
        return Split("repeated rows", "a random fifth, equal rows together", *_grouped(groups, task, request.seed))
    if share > MOST_REPEATED:
        words = f"{share:.0%} of the rows repeat another one, so the score is of rows that the training has seen, too"
        notes.append(SearchNote(severity="warning", message=words, remedy="is a column missing that tells them apart?"))
    name = _splitter(task, grouped=False)
    code = f"train, test = next({name}({FOLDS}, shuffle=True, random_state={request.seed}).split(X, y))"
    words = "a random fifth" + (", the classes in equal shares" if task == "classification" else "")
    return Split("random", words, code, f"from sklearn.model_selection import {name}")


def _grouped(groups: str, task: Task, seed: int) -> tuple[str, str]:
    name = _splitter(task, grouped=True)
    code = f"{groups}\ntrain, test = next({name}({FOLDS}, shuffle=True, random_state={seed}).split(X, y, groups))"
    return code, f"from sklearn.model_selection import {name}"


def _by_group(request: AutomlRequest, table: Any, task: Task) -> Split:
    name = request.group_column or ""
    require_column(table.columns, name, "group-column")
    if request.time_column:
        raise InvalidInput("rows are held out by time or by group, not by both", "leave out one of the two options")
    if table[name].isna().any():
        raise InvalidInput(f"'{name}' is missing in {int(table[name].isna().sum()):,} rows", "fill in these groups")
    count = table[name].nunique()
    if count < 2 * FOLDS:
        raise InvalidInput(f"'{name}' has {count} groups, and a split needs {2 * FOLDS}", "hold out random rows")
    code, imports = _grouped(f"groups = table[{name!r}]", task, request.seed)
    return Split("groups", f"a random fifth, whole groups of '{name}'", code, imports)


def _only_dates(request: AutomlRequest, table: Any, columns: Columns, notes: list[SearchNote]) -> str | None:
    """Return the column of dates that orders the rows, if there is one alone."""
    if request.random_split or not columns.dates:
        return None
    if len(columns.dates) > 1:
        names = ", ".join(columns.dates)
        raise InvalidInput(
            f"several columns have dates: {names}",
            "name the one that orders the rows: --time-column NAME, or hold out random rows: --random-split",
        )
    name = columns.dates[0]
    if table[name].isna().any() or table[name].nunique() < _LEAST_DATES:
        notes.append(
            SearchNote(severity="note", message=f"random rows are held out: '{name}' has gaps or few different dates")
        )
        return None
    notes.append(
        SearchNote(
            severity="note",
            message=f"the latest rows by '{name}' are held out, as a model meets later rows than those of its training",
            remedy="if the rows have no order in time: --random-split",
        )
    )
    return name


def _by_time(table: Any, name: str, columns: Columns) -> Split:
    require_column(table.columns, name, "time-column")
    if name not in (*columns.dates, *columns.numbers):
        raise InvalidInput(f"'{name}' has neither dates nor numbers", "name a column that orders the rows")
    if table[name].isna().any():
        raise InvalidInput(f"'{name}' is missing in {int(table[name].isna().sum()):,} rows", "fill in these dates")
    if table[name].nunique() < _LEAST_DATES:
        raise InvalidInput(
            f"'{name}' has {table[name].nunique()} different values, and a split by time needs {_LEAST_DATES}",
            "name another column, or hold out random rows: --random-split",
        )
    code = (
        f"cut = table[{name!r}].searchsorted(table[{name!r}].iloc[len(table) * {FOLDS - 1} // {FOLDS}])\n"
        "train, test = range(cut), range(cut, len(table))"
    )
    order = f'table = table.sort_values({name!r}, kind="stable", ignore_index=True)'
    return Split("time", f"the latest fifth by '{name}'", code, order=order)
