"""Values of settings from the environment and from a YAML file, for pydantic models of settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

NESTED = "__"
"""Separates the names of a setting and of a field within it: ``NBDEPLOY_RESOURCES__WORKERS``."""

_CONTAINERS = (dict, list, tuple, set, frozenset)


def environment_values(fields: Mapping[str, FieldInfo], prefix: str) -> dict[str, Any]:
    """Return the settings in the environment; variables of other names are ignored, and so is the case of names.

    A value of a list, a tuple, a mapping or a model may be JSON; another text is returned as it is.
    """
    variables = {name.lower(): value for name, value in os.environ.items()}
    values: dict[str, Any] = {}
    for name, field in fields.items():
        alias = field.validation_alias
        key = alias if isinstance(alias, str) else f"{prefix}{name}"
        found: dict[str, Any] = {}
        for variable in sorted(one for one in variables if one.startswith(f"{key.lower()}{NESTED}")):
            _put(found, variable.removeprefix(f"{key.lower()}{NESTED}").split(NESTED), variables[variable])
        if key.lower() in variables:
            whole = _decoded(variables[key.lower()], field.annotation)
            found = merged(whole, found) if isinstance(whole, dict) or found else whole
            values[key if alias else name] = found
        elif found and _models(field.annotation):
            values[key if alias else name] = found
    return values


def file_values(path: Path) -> dict[str, Any]:
    """Return the settings of a YAML file; none if it is missing.

    Raises
    ------
    ValueError
        The file holds no mapping.
    yaml.YAMLError
        The file is no YAML.
    """
    return values_in(path.read_bytes(), path) if path.is_file() else {}


def values_in(content: bytes, path: Path) -> dict[str, Any]:
    """Return the settings in the content of a YAML file; its path is for errors, which are those of `file_values`."""
    import yaml  # most commands have no file

    values = yaml.safe_load(content.decode("utf-8")) or {}
    try:
        return dict(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no names with values, such as 'port: 8780'") from error


def merged(*sources: Any) -> Any:
    """Merge mappings, also nested ones; later sources win."""
    result: Any = {}
    for source in sources:
        if not (isinstance(result, dict) and isinstance(source, dict)):
            result = source
            continue
        result = {
            **result,
            **{key: merged(result[key], value) if key in result else value for key, value in source.items()},
        }
    return result


def _put(found: dict[str, Any], names: list[str], value: str) -> None:
    first, *rest = names
    if not rest:
        found[first] = value
        return
    inner = found.setdefault(first, {})
    if isinstance(inner, dict):
        _put(inner, rest, value)


def _decoded(text: str, annotation: Any) -> Any:
    kinds = list(_kinds(annotation))
    if any(kind in _CONTAINERS or _is_model(kind) for kind in kinds):
        with suppress(ValueError):
            return json.loads(text)
    return text


def _models(annotation: Any) -> bool:
    """Whether a field may hold a mapping."""
    return any(kind is dict or _is_model(kind) for kind in _kinds(annotation))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types of an annotation, without None, unions and arguments."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    else:
        yield origin or annotation
