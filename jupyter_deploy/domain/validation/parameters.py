"""Parameters of notebooks as people write them: ``-p rows=200``, ``--matrix "seed=1,2,3"``. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from jupyter_deploy.domain.errors import InvalidInput

_NAME = re.compile(r"[^\W\d][\w.]*")  # in R a dot is a letter


def value_of(text: str) -> Any:
    """A value as Papermill's command line reads it: ``True``, ``False``, ``None``, a number, else the text."""
    named = {"True": True, "False": False, "None": None}
    if text in named:
        return named[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_parameters(given: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as parameters, the last of one key counting; a mapping stays as it is.

    Raises
    ------
    InvalidInput
        A text without ``=`` or whose key is no variable's name.
    """
    if isinstance(given, Mapping):
        return dict(given)
    return {name: value_of(value) for name, value in (_pair(text, "-p rows=200") for text in given)}


def parse_matrix(given: Mapping[str, Iterable[Any]] | Iterable[str]) -> dict[str, list[Any]]:
    """``KEY=VALUE,VALUE`` texts as the values of each key; a mapping stays as it is.

    Raises
    ------
    InvalidInput
        A text without ``=``, a key that stands twice, or one without values.
    """
    matrix: dict[str, list[Any]] = {}
    example = '--matrix "seed=1,2,3"'
    if isinstance(given, Mapping):
        matrix = {name: list(values) for name, values in given.items()}
    else:
        for text in given:
            name, values = _pair(text, example)
            if name in matrix:
                raise InvalidInput(f"the matrix names '{name}' twice", f"name all its values at once: {example}")
            matrix[name] = [value_of(value.strip()) for value in values.split(",")] if values.strip() else []
    for name, found in matrix.items():
        if not found or "" in found:
            raise InvalidInput(f"the matrix has an empty value for '{name}'", f"write, for example, {example}")
    return matrix


def combinations(matrix: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Each value of each key with each of the others, the last key changing first; of no keys the empty one."""
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def one_or_several(given: Any) -> Any:
    """A single text, or path, as a tuple of one: Python need not write a list."""
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        given = (given,)
    if isinstance(given, list | tuple):
        return tuple(str(one) if hasattr(one, "__fspath__") else one for one in given)
    return given


def _pair(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name.strip()):
        raise InvalidInput(f"'{text}' is not KEY=VALUE", f"write, for example, {example}")
    return name.strip(), value


Texts = Annotated[tuple[str, ...], BeforeValidator(one_or_several)]
Parameters = Annotated[dict[str, Any] | tuple[str, ...], BeforeValidator(one_or_several)]
Matrix = Annotated[dict[str, list[Any]] | tuple[str, ...], BeforeValidator(one_or_several)]


def plain_keys(value: Any) -> Any:
    """With texts as the names in all mappings, as Papermill writes them into a notebook: YAML knows others."""
    if isinstance(value, Mapping):
        return {str(name): plain_keys(one) for name, one in value.items()}
    return [plain_keys(one) for one in value] if isinstance(value, list | tuple) else value
