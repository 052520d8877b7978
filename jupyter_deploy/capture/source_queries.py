"""The queries of databases that a training table was read by, found in the executed cells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_deploy.domain.capture.training import SourceQuery
from jupyter_deploy.masking.masking import masked
from jupyter_deploy.notebooks.safe_eval import NotEvaluable, evaluate
from jupyter_deploy.notebooks.syntax.names import called_by
from jupyter_deploy.notebooks.syntax.statements import Statement

# pandas and polars; then DuckDB, DB-API 2.0 and SQLAlchemy, whose calls may be other statements, too.
_READERS = frozenset({"read_sql", "read_sql_query", "read_sql_table", "read_database", "read_database_uri"})
_RUNNERS = frozenset({"sql", "query", "execute", "text"})
_SELECTS = re.compile(r"\s*(select|with|from|table|values)\b", re.IGNORECASE)
_MOST_CHARACTERS = 4000


def queries_in(statement: Statement, namespace: Mapping[str, Any], began: Mapping[int, float]) -> Iterator[SourceQuery]:
    """Yield the queries of a statement, masked; the number of rows is that of the variable that it assigns.

    ``began``: start times of the cells by execution count, see ``Live``.
    """
    rows = _rows(statement.tree, namespace)
    for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
        text = _query_of(call, namespace)
        if text:
            shown = masked(text)[0][:_MOST_CHARACTERS]
            yield SourceQuery(text=shown, rows=rows, at=began.get(statement.cell), cell=statement.cell)


def _query_of(call: ast.Call, namespace: Mapping[str, Any]) -> str:
    name = called_by(call)
    if name not in _READERS | _RUNNERS:
        return ""
    named = [word.value for word in call.keywords if word.arg in ("sql", "query", "table_name")]
    for candidate in (*call.args[:1], *named):
        try:
            value = evaluate(candidate, namespace)
        except NotEvaluable:
            continue
        if type(value).__module__.partition(".")[0] == "sqlalchemy":  # a statement: its text runs nothing
            value = str(value)
        if isinstance(value, str) and (name in _READERS or _SELECTS.match(value)):
            return value.strip()
    return ""


def _rows(tree: ast.stmt, namespace: Mapping[str, Any]) -> int | None:
    targets = tree.targets if isinstance(tree, ast.Assign) else []
    if len(targets) == 1 and isinstance(targets[0], ast.Name):
        shape = getattr(namespace.get(targets[0].id), "shape", None)
        if isinstance(shape, tuple) and shape and isinstance(shape[0], int):
            return shape[0]
    return None
