"""The imports at the beginning of a notebook, determined without running it."""

from __future__ import annotations

import ast
import re
import warnings

from jupyter_deploy.environments.module_origins import local_module

# Magics that do not affect later imports; the analysis ends at any other magic and at a shell command.
_HARMLESS = re.compile(r"%(matplotlib|config)\b")
_MAGIC = re.compile(r"\s*(%|!|\?)|[^#'\"]*=\s*[%!]|.*\?\s*$")


def first_imports(source: str) -> tuple[str, ...]:
    """Return the imports at the beginning of a notebook, as statements in order, without repetitions.

    Definitions, constants and other harmless lines may stand between them. The analysis ends at a statement that may
    affect an import: a call, a change of an object (``os.environ[...] = ...``), an import of the project's own modules.
    """
    imports: dict[str, None] = {}
    for statement in _parsed(_without_magics(source)):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            if any(_is_local(name) for name in _packages(statement)):
                break
            imports |= dict.fromkeys(_plain(statement))
        elif not _is_harmless(statement):
            break
    return tuple(imports)


def _without_magics(source: str) -> str:
    lines = []
    for line in source.splitlines():
        if _HARMLESS.match(line):
            lines.append("pass")
        elif _MAGIC.match(line):
            break
        else:
            lines.append(line)
    return "\n".join(lines)


def _parsed(source: str) -> list[ast.stmt]:
    """Return the statements up to the first that is not Python."""
    lines = source.splitlines()
    with warnings.catch_warnings(action="ignore"):
        while lines:
            try:
                return ast.parse("\n".join(lines)).body
            except SyntaxError as error:
                lines = lines[: min(error.lineno or 1, len(lines)) - 1]
            except (ValueError, RecursionError, MemoryError):
                return []
    return []


def _packages(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name.partition(".")[0] for alias in statement.names]
    return ["." if statement.level else str(statement.module).partition(".")[0]]


def _is_local(package: str) -> bool:
    return package == "." or local_module(package) is not None


def _plain(statement: ast.Import | ast.ImportFrom) -> list[str]:
    """Return an import's statements without their aliases."""
    if isinstance(statement, ast.Import):
        return [f"import {alias.name}" for alias in statement.names]
    if statement.module == "__future__":
        return []
    return [f"from {statement.module} import {alias.name}" for alias in statement.names]


def _is_harmless(statement: ast.stmt) -> bool:
    """Whether the statement cannot affect an import: it calls nothing and changes only its own names."""
    match statement:
        case ast.Pass():
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            defaults = (*statement.args.defaults, *(d for d in statement.args.kw_defaults if d is not None))
            return not statement.decorator_list and all(map(_is_plain, defaults))
        case ast.Expr():
            return _is_plain(statement.value)
        case ast.Assign():
            return _is_plain(statement.value) and all(isinstance(target, ast.Name) for target in statement.targets)
        case ast.AnnAssign():
            return isinstance(statement.target, ast.Name) and (statement.value is None or _is_plain(statement.value))
    return False


_PLAIN = (
    ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp, ast.expr_context,
    ast.operator, ast.unaryop, ast.Lambda,
)  # fmt: skip


def _is_plain(value: ast.expr) -> bool:
    """Whether the expression consists of constants and names, so that its evaluation is harmless."""
    return isinstance(value, ast.Lambda) or all(isinstance(node, _PLAIN) for node in ast.walk(value))
