"""The remedy for a model that holds an open connection: the form in which each process connects itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import NotCapturable
from jupyter_deploy.masking.masking import masked
from jupyter_deploy.notebooks.syntax.statements import statements_of

LIBRARIES = frozenset(
    {
        *("psycopg", "psycopg2", "psycopg_pool", "asyncpg", "sqlalchemy", "duckdb", "sqlite3", "pymysql", "MySQLdb"),
        *("mysql", "oracledb", "pyodbc", "snowflake", "trino", "clickhouse_connect", "adbc_driver_manager"),
        *("redis", "valkey", "pymongo", "cassandra", "elasticsearch", "boto3", "botocore", "s3fs"),
    }
)
"""Libraries whose objects are connections, or pools of them."""

_GLOBAL = re.compile(r"global '(\w+)'")


def with_connection_form(error: NotCapturable, live: Live) -> NotCapturable:
    """Return the error with the user's own code in the form of ``jupyter_deploy.connection``, if it fits."""
    named = _GLOBAL.findall(error.message)
    variable = next((name for name in named if is_connection(live.namespace.get(name))), None)
    if variable is None:
        return error
    made = _made(variable, live.cells)
    value = f"return {made}" if made else "...  # connect here"
    form = f"@jupyter_deploy.connection\ndef {variable}():\n    {value}"
    return NotCapturable(
        f"{variable} is an open connection of {_library(live.namespace[variable])}, which no other process can use",
        f"let each process connect itself, as below, and call {variable}() where the model uses {variable}; a password "
        "comes by --secret",
        f"import jupyter_deploy\n\n{masked(form)[0]}",
    )


def is_connection(value: Any) -> bool:
    """Whether an object is a connection of a known library; its code does not run."""
    return not isinstance(value, ModuleType | type) and _library(value) in LIBRARIES


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0].lstrip("_")


def _made(variable: str, cells: Sequence[str]) -> str:
    """Return the source of the last expression that was assigned to the variable; empty: none is known."""
    return next((ast.unparse(value) for value in _assigned(variable, cells)), "")


def _assigned(variable: str, cells: Sequence[str]) -> Iterator[ast.expr]:
    for statement in reversed(statements_of(cells)):
        tree = statement.tree
        targets = tree.targets if isinstance(tree, ast.Assign) else []
        if isinstance(tree, ast.Assign) and any(isinstance(one, ast.Name) and one.id == variable for one in targets):
            yield tree.value
