"""What annotations and pydantic models say of a value, as JSON Schema."""

from __future__ import annotations

import inspect
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import typing_extensions

from jupyter_deploy.domain.capture.schema import Schema, nullable
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.serving.values.validation import Validator

_JSON = (bool, int, float, str, type(None))
_REF = "#/$defs/"

# pydantic writes them as text in UTF-8, which other bytes are not: the example decides, and then it is base64.
_NOT_PYDANTICS = ("binary", "base64url")


def annotations_of(call: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a call's parameters, evaluated where that is possible."""
    try:
        parameters = inspect.signature(call, eval_str=True).parameters
    except Exception:  # noqa: BLE001 - a name that only a type checker knows
        parameters = inspect.signature(call).parameters
    given = {name: parameter.annotation for name, parameter in parameters.items()}
    return {
        name: known(annotation)
        for name, annotation in given.items()
        if annotation is not inspect.Parameter.empty and not isinstance(annotation, str)
    }


def known(annotation: Any) -> Any:
    """The same, as pydantic takes it: before Python 3.12 it does not know ``typing.TypedDict``."""
    if not typing.is_typeddict(annotation):
        return annotation
    fields = typing.get_type_hints(annotation, include_extras=True)
    marked = {
        name: fields[name] if name in annotation.__required_keys__ else typing_extensions.NotRequired[fields[name]]
        for name in fields
    }
    return typing_extensions.TypedDict(annotation.__name__, marked)  # type: ignore[operator]


def described(annotation: Any) -> Schema | None:
    """What an annotation demands of a value's JSON; None if it says less than an example would.

    ``list`` and ``dict`` say nothing of what is in them, ``np.ndarray`` is not JSON's: then the example decides.
    """
    try:
        schema = json_schema(annotation)
    except Exception:  # noqa: BLE001 - pydantic knows no such type
        return None
    return schema if _says_all(schema) else None


def json_schema(annotation: Any) -> Schema:
    """The JSON Schema of what pydantic reads as ``annotation``, with all that it refers to in its place.

    Only what refers to itself keeps a name, in ``$defs``.
    """
    from pydantic import TypeAdapter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a default that has no JSON is left out
        return inlined(TypeAdapter(annotation).json_schema())


def inlined(schema: Schema) -> Schema:
    """``schema`` with each ``$ref`` replaced by what it means, but where that contains itself."""
    named = schema.get("$defs", {})
    kept: dict[str, Schema] = {}

    def placed(part: Any, within: tuple[str, ...]) -> Any:
        if isinstance(part, list):
            return [placed(inner, within) for inner in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return {key: placed(inner, within) for key, inner in part.items() if key != "$defs"}
        name = reference.removeprefix(_REF)
        rest = {key: placed(inner, within) for key, inner in part.items() if key not in ("$ref", "$defs")}
        if name in within or name in kept or _contains_itself(name, named):
            if name not in kept:
                kept[name] = {}
                kept[name] = placed(named[name], (*within, name))
            return {"$ref": reference, **rest}
        return {**placed(named[name], (*within, name)), **rest}

    result: Schema = placed(schema, ())
    if "$ref" in result:  # at the top of all, the name alone would say nothing to a reader
        result = {**kept[result["$ref"].removeprefix(_REF)]}
    return {**result, "$defs": kept} if kept else result


def _contains_itself(name: str, named: Mapping[str, Schema]) -> bool:
    seen: set[str] = set()
    queue = list(_references(named[name]))
    while queue:
        found = queue.pop()
        if found == name:
            return True
        if found not in seen:
            seen.add(found)
            queue += _references(named.get(found, {}))
    return False


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [name for inner in part for name in _references(inner)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"].removeprefix(_REF)] if isinstance(part.get("$ref"), str) else []
    return own + [name for inner in part.values() for name in _references(inner)]


def _says_all(schema: Schema) -> bool:
    """Whether no part of it is left open, nor what pydantic would read in another way than base64."""
    if schema.get("format") in _NOT_PYDANTICS:
        return False
    if "$ref" in schema or "enum" in schema or "const" in schema:
        return True
    if branches := schema.get("anyOf", schema.get("oneOf", schema.get("allOf"))):
        return all(_says_all(branch) for branch in branches)
    if "type" not in schema:
        return False
    inner = [*schema.get("properties", {}).values(), *schema.get("prefixItems", ())]
    if schema["type"] == "array" and "prefixItems" not in schema:
        inner.append(schema.get("items", {}))
    if schema["type"] == "object" and "properties" not in schema:
        extra = schema.get("additionalProperties", {})
        inner.append(extra if isinstance(extra, dict) else {})
    return all(_says_all(part) for part in (*inner, *schema.get("$defs", {}).values()))


def only_json(annotation: Any) -> bool:
    """Whether its values are what JSON itself brings: then nothing has to be made of them."""
    if annotation in _JSON or annotation is None:
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return all(isinstance(value, _JSON) for value in arguments)
    if origin is typing.Annotated:
        from pydantic.fields import FieldInfo

        return only_json(arguments[0]) and all(isinstance(said, FieldInfo | str) for said in arguments[1:])
    if typing_extensions.is_typeddict(annotation):
        arguments = tuple(typing_extensions.get_type_hints(annotation).values())
    elif origin not in (list, typing.Union, types.UnionType) and (origin is not dict or arguments[0] is not str):
        return False
    return all(map(only_json, arguments))


def own_signature(signature: Any, inferred: Schema, instances: list[Any]) -> Schema:
    """The user's own signature of one instance, in the place of the one that was inferred from the example.

    Parameters
    ----------
    signature
        A pydantic model, or anything else of which pydantic makes a JSON Schema: a TypedDict, an annotation.

    Raises
    ------
    InvalidInput
        There is no such schema, or its fields are not the example's.
    """
    try:
        schema = json_schema(known(signature))
        Validator(schema)
    except Exception as error:
        named = getattr(signature, "__name__", repr(signature))
        raise InvalidInput(
            f"the signature {named} cannot be checked: {error}", "give a pydantic model of one instance, or a TypedDict"
        ) from error
    names, columns = schema.get("properties"), inferred.get("properties")
    if columns is None or any(not isinstance(instance, dict) for instance in instances):
        return schema
    if names is None:
        raise InvalidInput(
            "the signature has no fields, and the example's instances have",
            f"give a pydantic model with the fields {', '.join(columns)}",
        )
    missing, unknown = [n for n in columns if n not in names], [n for n in names if n not in columns]
    if missing or unknown:
        lacks = f"it lacks {', '.join(map(repr, missing))}" if missing else ""
        has = f"it has {', '.join(map(repr, unknown))}, which the example does not" if unknown else ""
        raise InvalidInput(
            f"the signature's fields are not the example's: {' and '.join(filter(None, (lacks, has)))}",
            "give it the same fields; one that may be left out has a default",
        )
    # What is no field is a slip of the pen, unless the model says that it takes any.
    return {"additionalProperties": False, **schema}


def absent(instance: Any, schema: Schema) -> list[tuple[str, dict[str, Any]]]:
    """For each field, ``instance`` as a request may have it: the field null, or left out, where ``schema`` lets it."""
    found: list[tuple[str, dict[str, Any]]] = []
    if not isinstance(instance, dict):
        return found
    required = schema.get("required", [])
    for name, inner in schema.get("properties", {}).items():
        if nullable(inner) == inner and inner:
            found.append((name, {**instance, name: None}))
        if name not in required and "default" not in inner:
            found.append((name, {key: value for key, value in instance.items() if key != name}))
    return found
