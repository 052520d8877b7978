"""The deploys in a notebook's cells, found without running them."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.scaffold import Trained
from jupyter_deploy.notebooks.syntax import called_by, root, statements_of, stored

_MAGIC = re.compile(r"^[ \t]*(?:\w+[ \t]*=[ \t]*)?%(%?)deploy\b((?:[^\\\n]|\\.|\\\n)*)", re.MULTILINE)
_KEPT = (
    *("method", "signature", "lookup", "training", "include", "show_example", "strict", "waive", "isolated", "redact"),
)
"""Options that belong to the model; others (a role, a reason) belong to a single deploy."""


def deploys_in(notebook: str, cells: Sequence[str]) -> list[Trained]:
    """Return every model that a notebook deploys under a name, by magic or Python; the last deploy of a name."""
    models: dict[str, Trained] = {}
    for options in (*_by_magic(cells), *_from_python(cells)):
        trained = _trained(notebook, options)
        if trained is not None:
            models[trained.name] = trained
    return list(models.values())


def fitted_in(cells: Sequence[str], variable: str | None = None) -> tuple[str, str] | None:
    """Return the last fitted variable (or the named one), and an example of its training data."""
    for statement in reversed(statements_of(cells)):
        for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
            receiver = call.func.value if called_by(call) == "fit" and isinstance(call.func, ast.Attribute) else None
            if receiver is None or not call.args or not isinstance(call.args[0], ast.Name):
                continue
            model = next(iter(stored(statement.tree)), None) or root(receiver)
            if model and variable in (None, model):
                return model, f"{call.args[0].id}[:5]"
    return None


def _by_magic(cells: Sequence[str]) -> Iterator[dict[str, Any]]:
    for cell in cells:
        for magic in _MAGIC.finditer(cell):
            try:
                words = shlex.split(magic[2].replace("\\\n", " "))
            except ValueError:
                continue
            options = _options(words)
            if magic[1]:  # a cell magic: the last function in the cell
                defined = [s for s in statements_of([cell]) if isinstance(s.tree, ast.FunctionDef)]
                options |= {"model": defined[-1].tree.name} if defined else {}  # type: ignore[attr-defined]
            yield options


def _options(words: Sequence[str]) -> dict[str, Any]:
    """Map the words of a command line to the fields of the request; the first positional word is the model."""
    options: dict[str, Any] = {}
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("--"):
            options.setdefault("model", word)
            continue
        option, equals, value = word.removeprefix("--").partition("=")
        field = DeployRequest.model_fields.get(option.replace("-", "_"))
        if field is None or field.annotation is bool:
            options[option.replace("-", "_")] = True
            continue
        value = value if equals else next(waiting, "")
        if str(field.annotation).startswith("tuple"):
            options.setdefault(option.replace("-", "_"), []).append(value)
        else:
            options[option.replace("-", "_")] = value
    return options


def _from_python(cells: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Find ``deploy(model, name="churn", example=X[:5])``, also as ``jupyter_deploy.deploy``."""
    for statement in statements_of(cells):
        for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
            if called_by(call) != "deploy" or not call.args or not isinstance(call.args[0], ast.Name):
                continue
            keywords = {word.arg: word.value for word in call.keywords if word.arg}
            options: dict[str, Any] = {"model": call.args[0].id}
            for option, value in keywords.items():
                constant = value.value if isinstance(value, ast.Constant) else None
                if option in ("example", "signature", "training", "lookup"):
                    options[option] = ast.unparse(value)
                elif isinstance(constant, str | bool):
                    options[option] = constant
            yield options


def _trained(notebook: str, fields: Mapping[str, Any]) -> Trained | None:
    if not all(isinstance(fields.get(one), str) and fields[one] for one in ("model", "name", "example")):
        return None
    options: list[str] = []
    for option in _KEPT:
        value = fields.get(option)
        values = value if isinstance(value, list) else [value] if value else []
        for one in values:
            word = f"--{option.replace('_', '-')}"
            options += [word] if one is True else [word, str(one)]
    if fields.get("waive") and isinstance(fields.get("reason"), str):
        options += ["--reason", fields["reason"]]
    return Trained(
        notebook=notebook, name=fields["name"], model=fields["model"], example=fields["example"], options=tuple(options)
    )
