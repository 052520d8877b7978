"""Parameters of notebooks in the notation of options: ``-p rows=200``, ``--matrix "seed=1,2,3"``. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from jupyter_deploy.domain.errors import InvalidInput

_NAME = re.compile(r"[^\W\d][\w.]*")  # in R a dot is a letter


def value_of(text: str) -> Any:
    """Parse a value as Papermill's command line does: ``True``, ``False``, ``None``, a number, else the text."""
    named = {"True": True, "False": False, "None": None}
    if text in named:
        return named[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_parameters(texts: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` texts as parameters; the last of one key counts, and a mapping is returned unchanged.

    Raises
    ------
    InvalidInput
        A text has no ``=``, or its key is no variable's name.
    """
    if isinstance(texts, Mapping):
        return dict(texts)
    return {name: value_of(value) for name, value in (_pair(text, "-p rows=200") for text in texts)}


def parse_matrix(texts: Mapping[str, Iterable[Any]] | Iterable[str]) -> dict[str, list[Any]]:
    """Parse ``KEY=VALUE,VALUE`` texts as the values of each key; a mapping is returned unchanged.

    Raises
    ------
    InvalidInput
        A text has no ``=``, a key occurs twice, or a key has no values.
    """
    matrix: dict[str, list[Any]] = {}
    example = '--matrix "seed=1,2,3"'
    if isinstance(texts, Mapping):
        matrix = {name: list(values) for name, values in texts.items()}
    else:
        for text in texts:
            name, values = _pair(text, example)
            if name in matrix:
                raise InvalidInput(f"the matrix names '{name}' twice", f"name all its values at once: {example}")
            matrix[name] = [value_of(value.strip()) for value in values.split(",")] if values.strip() else []
    for name, several in matrix.items():
        if not several or "" in several:
            raise InvalidInput(f"the matrix has an empty value for '{name}'", f"write, for example, {example}")
    return matrix


def combinations(matrix: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return all combinations of the keys' values, the last key changing first; of no keys the empty one."""
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def one_or_several(value: Any) -> Any:
    """Return a single text or path as a tuple, so that a call from Python needs no list."""
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        value = (value,)
    if isinstance(value, list | tuple):
        return tuple(str(one) if hasattr(one, "__fspath__") else one for one in value)
    return value


def _pair(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name.strip()):
        raise InvalidInput(f"'{text}' is not KEY=VALUE", f"write, for example, {example}")
    return name.strip(), value


Texts = Annotated[tuple[str, ...], BeforeValidator(one_or_several)]
Parameters = Annotated[dict[str, Any] | tuple[str, ...], BeforeValidator(one_or_several)]
Matrix = Annotated[dict[str, list[Any]] | tuple[str, ...], BeforeValidator(one_or_several)]


def plain_keys(value: Any) -> Any:
    """Return the value with texts as the keys of all mappings, as Papermill writes them; YAML has other keys too."""
    if isinstance(value, Mapping):
        return {str(name): plain_keys(one) for name, one in value.items()}
    return [plain_keys(one) for one in value] if isinstance(value, list | tuple) else value
