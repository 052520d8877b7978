"""The parameters of a notebook, and the check of given values."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import logging
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.notebooks.reader import did_you_mean, tags_of

_TAG = (
    "in JupyterLab select the cell that gives the defaults and, in the sidebar with the gears, "
    "add the cell tag 'parameters'"
)


@dataclass(frozen=True)
class Parameter:
    """One variable of the parameters cell: its default as a value if ``literal``; ``types`` of its annotation."""

    name: str
    default: Any = None
    literal: bool = False
    types: frozenset[str] = frozenset()


def parameters_of(document: Any, kernel: str, language: str) -> dict[str, Parameter] | None:
    """Return the parameters by name; None: the notebook has no parameters cell.

    A Python cell is parsed as Python, an R cell by its assignments, and cells of other languages by Papermill; if
    Papermill cannot read them the result is empty (``can_read_parameters``).
    """
    cell = next((cell for cell in document.cells if "parameters" in tags_of(cell)), None)
    if cell is None:
        return None
    if language.lower() == "python":
        parameters = _of_python(cell.source)
    elif language.lower() == "r":
        parameters = [Parameter(name, *_literal_of_r(text)) for name, text in _R.findall(cell.source)]
    else:
        parameters = None
    if parameters is None:
        parameters = [Parameter(name) for name in _by_papermill(cell, kernel, language) or ()]
    return {one.name: one for one in parameters}


def can_read_parameters(language: str) -> bool:
    """Return whether the parameters of notebooks in a language can always be read."""
    return language.lower() in ("python", "r")


_R = re.compile(r"(?m)^[ \t]*([A-Za-z.][\w.]*)[ \t]*(?:<-|=)(?!=)[ \t]*(.*?)[ \t]*(?:#.*)?$")


def _of_python(source: str) -> list[Parameter] | None:
    try:
        tree = ast.parse(re.sub(r"(?m)^[ \t]*[%!].*$", "pass", source))
    except (SyntaxError, ValueError):
        return None
    parameters = []
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[*targets], value=value):
                names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
                same = all(isinstance(target, ast.Name) for target in targets)
                parameters += [Parameter(name, *(_literal(value) if same else (None, False))) for name in names]
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
                parameters.append(Parameter(name, *_literal(value), _types(annotation)))
    return parameters


def _literal(node: ast.expr) -> tuple[Any, bool]:
    try:
        return ast.literal_eval(node), True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False


def _types(node: ast.expr) -> frozenset[str]:
    """Return the names of an annotation's types; empty if it is not made of plain types."""
    names: frozenset[str] = frozenset()
    match node:
        case ast.Constant(value=str() as text):
            with contextlib.suppress(SyntaxError):
                names = _types(ast.parse(text, mode="eval").body)
        case ast.Constant(value=None):
            names = frozenset({"None"})
        case ast.Name(id=name) if name in _FITS:
            names = frozenset({name})
        case ast.Subscript(value=ast.Name(id="list" | "dict" | "List" | "Dict" as name)):
            names = frozenset({name.lower()})
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            names = types | {"None"} if (types := _types(inner)) else types
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            first, second = _types(left), _types(right)
            names = first | second if first and second else names
    return names


def _literal_of_r(text: str) -> tuple[Any, bool]:
    if text in ("TRUE", "FALSE", "T", "F"):
        return text[0] == "T", True
    if re.fullmatch(r"-?\d+L", text):
        return int(text[:-1]), True
    if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        number = float(text)
        return (int(number) if re.fullmatch(r"-?\d+", text) else number), True
    if re.fullmatch(r"\"[^\"\\]*\"|'[^'\\]*'", text):
        return text[1:-1], True
    return None, False


def _by_papermill(cell: Any, kernel: str, language: str) -> list[str] | None:
    from papermill.exceptions import PapermillException
    from papermill.translators import papermill_translators

    logging.getLogger("papermill").addHandler(logging.NullHandler())
    try:
        return [one.name for one in papermill_translators.find_translator(kernel, language).inspect(cell)]
    except (NotImplementedError, PapermillException):
        return None


def _is_number(given: Any) -> bool:
    return isinstance(given, numbers.Real) and not isinstance(given, bool)


_FITS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("true or false", lambda given: isinstance(given, bool)),
    "int": ("a whole number", lambda given: isinstance(given, numbers.Integral) and not isinstance(given, bool)),
    "float": ("a number", _is_number),
    "str": ("a text", lambda given: isinstance(given, str | PurePath | dt.date)),
    "list": ("a list", lambda given: isinstance(given, list | tuple)),
    "dict": ("a mapping", lambda given: isinstance(given, Mapping)),
    "None": ("None", lambda given: given is None),
}


def require(name: str, document: Any, kernel: str, language: str, given: Mapping[str, Any]) -> None:
    """Raise InvalidInput with all errors of the given parameters at once."""
    if not given:
        return
    known = parameters_of(document, kernel, language)
    if known is None:
        raise InvalidInput(f"{name} has no cell tagged 'parameters' that {', '.join(given)} could be given to", _TAG)
    _translator(name, kernel, language)
    errors, remedies = [], []
    for parameter, value in given.items():
        if parameter not in known:
            if can_read_parameters(language) or known:
                errors.append(f"{name} has no parameter '{parameter}'")
                remedies.append(f"{did_you_mean(parameter, known)}its parameters are: {', '.join(known) or 'none'}")
        elif problem := _problem(known[parameter], value):
            errors.append(f"{name}: {problem}")
            if known[parameter].types or isinstance(known[parameter].default, str):
                remedies.append("write texts that look like numbers as -y 'name: \"5\"'")
    if errors:
        raise InvalidInput("; ".join(errors), "; ".join(dict.fromkeys(remedies)) or "give what the default is like")


def _translator(name: str, kernel: str, language: str) -> None:
    from papermill.exceptions import PapermillException
    from papermill.translators import papermill_translators

    try:
        papermill_translators.find_translator(kernel, language)
    except PapermillException:
        raise InvalidInput(
            f"{name} is written in {language}, to which Papermill can give no parameters", "leave them out"
        ) from None


def _problem(parameter: Parameter, given: Any) -> str:
    """Return a message if a value does not fit a parameter; empty if it does."""
    words = f"'{parameter.name}' is {_short_repr(given)}"
    if not _can_be_given(given):
        return f"'{parameter.name}' is a {type(given).__name__}, which cannot be written into a notebook"
    if parameter.types:
        accepted = [_FITS[one] for one in sorted(parameter.types)]
        if not any(fits(given) for _, fits in accepted):
            return f"{words}, and is annotated to be {' or '.join(description for description, _ in accepted)}"
        return ""
    default = parameter.default
    if not parameter.literal or default is None:
        return ""
    kind = "float" if _is_number(default) else type(default).__name__
    description, fits = _FITS.get("list" if kind == "tuple" else kind, ("", lambda _: True))
    return "" if fits(given) else f"{words}, and its default {_short_repr(default)} is {description}"


def _short_repr(given: Any) -> str:
    words = repr(given)
    return words if len(words) <= 60 else f"{words[:60]}…"


def _can_be_given(given: Any) -> bool:
    if isinstance(given, Mapping):
        return all(isinstance(name, str) and _can_be_given(value) for name, value in given.items())
    if isinstance(given, list | tuple):
        return all(map(_can_be_given, given))
    return given is None or isinstance(given, str | PurePath | dt.date | numbers.Real)


def plain_values(given: Any) -> Any:
    """Convert a parameter for Papermill's translators, which write all other than JSON values as texts."""
    if isinstance(given, Mapping):
        return {name: plain_values(value) for name, value in given.items()}
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [plain_values(value) for value in given]
    if given is None or isinstance(given, bool | str):
        return given
    if isinstance(given, numbers.Integral):
        return int(given)
    return float(given) if isinstance(given, numbers.Real) else str(given)
