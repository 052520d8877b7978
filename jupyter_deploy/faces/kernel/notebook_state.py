"""A notebook in its kernel, for queries that capture nothing: its expressions, its file, the cells that raised."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import DeployError


def evaluate(noun: str, expression: str | None, namespace: dict[str, Any], error_type: type[DeployError]) -> Any:
    """Evaluate an expression of a request; None stays None. Raises ``error_type``."""
    if expression is None:
        return None
    try:
        return eval(expression, namespace)  # noqa: S307 - the user's own expression in the user's own kernel
    except NameError as error:
        raise error_type(*unknown_variable(error.name or expression, namespace)) from error
    except Exception as error:
        raise error_type(
            f"the {noun} '{expression}' raises {type(error).__name__}: {_reason(error)}",
            "give an expression that works in a cell, such as 'X_test[:5]'",
        ) from error


def _reason(error: Exception) -> str:
    """The text of an error; of pydantic's each field with its reason, without its address and the value."""
    if type(error).__module__.partition(".")[0].startswith("pydantic") and hasattr(error, "errors"):
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in wrong)
    return str(error)


def unknown_variable(missing: str, namespace: Mapping[str, Any]) -> tuple[str, str]:
    """Make the message of a name that the notebook lacks, and a remedy with similar names."""
    near = difflib.get_close_matches(missing, [name for name in namespace if not name.startswith("_")], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "run the cell that makes it first"
    return f"there is no variable '{missing}' in this notebook", hint


def failed_in(shell: Any) -> dict[int, int]:
    """Return the cells that raised, each with the line of the error; IPython stores the tracebacks."""
    raised = getattr(getattr(shell, "history_manager", None), "exceptions", {})
    lines = {}
    for number, error in raised.items():
        text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.get("traceback", ())))
        line = re.search(rf"In ?\[{number}\], line (\d+)", text)
        lines[number] = int(line[1]) if line else 0
    return lines


def notebook_path(namespace: Mapping[str, Any]) -> Path | None:
    """Return the notebook's file, if its server or editor passes it to the kernel."""
    candidates = (
        os.environ.get("NBDEPLOY_NOTEBOOK"),
        os.environ.get("JPY_SESSION_NAME"),
        namespace.get("__vsc_ipynb_file__"),
    )
    for candidate in candidates:
        if candidate and str(candidate).endswith(".ipynb"):
            path = Path(candidate)
            return path if path.is_absolute() else (Path.cwd() / path.name)
    return None
