"""JSON Schema of annotations and pydantic models."""

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

# pydantic writes bytes as UTF-8 text; other bytes need base64, so the example decides.
_NOT_PYDANTICS = ("binary", "base64url")


def annotations_of(call: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a call's parameters, evaluated where possible."""
    try:
        parameters = inspect.signature(call, eval_str=True).parameters
    except Exception:  # noqa: BLE001 - a name that only a type checker can resolve
        parameters = inspect.signature(call).parameters
    raw = {name: parameter.annotation for name, parameter in parameters.items()}
    return {
        name: supported(annotation)
        for name, annotation in raw.items()
        if annotation is not inspect.Parameter.empty and not isinstance(annotation, str)
    }


def supported(annotation: Any) -> Any:
    """Return the annotation in a form that pydantic accepts: before Python 3.12 it rejects ``typing.TypedDict``."""
    if not typing.is_typeddict(annotation):
        return annotation
    fields = typing.get_type_hints(annotation, include_extras=True)
    marked = {
        name: fields[name] if name in annotation.__required_keys__ else typing_extensions.NotRequired[fields[name]]
        for name in fields
    }
    return typing_extensions.TypedDict(annotation.__name__, marked)  # type: ignore[operator]


def schema_of(annotation: Any) -> Schema | None:
    """Return the schema that an annotation requires of a value's JSON; None if the example is more specific.

    ``list`` and ``dict`` do not describe their items, and ``np.ndarray`` is not JSON: then the example decides.
    """
    try:
        schema = json_schema(annotation)
    except Exception:  # noqa: BLE001 - pydantic does not support the type
        return None
    return schema if _is_complete(schema) else None


def json_schema(annotation: Any) -> Schema:
    """Return the JSON Schema of a type that pydantic supports, with all references inlined.

    Only recursive definitions keep a name in ``$defs``.
    """
    from pydantic import TypeAdapter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a default without JSON is left out
        return inlined(TypeAdapter(annotation).json_schema())


def inlined(schema: Schema) -> Schema:
    """Replace each ``$ref`` of a schema by its definition, except for recursive ones."""
    named = schema.get("$defs", {})
    kept: dict[str, Schema] = {}

    def inline(part: Any, within: tuple[str, ...]) -> Any:
        if isinstance(part, list):
            return [inline(inner, within) for inner in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return {key: inline(inner, within) for key, inner in part.items() if key != "$defs"}
        name = reference.removeprefix(_REF)
        rest = {key: inline(inner, within) for key, inner in part.items() if key not in ("$ref", "$defs")}
        if name in within or name in kept or _contains_itself(name, named):
            if name not in kept:
                kept[name] = {}
                kept[name] = inline(named[name], (*within, name))
            return {"$ref": reference, **rest}
        return {**inline(named[name], (*within, name)), **rest}

    result: Schema = inline(schema, ())
    if "$ref" in result:  # at the top level the name alone would not help a reader
        result = {**kept[result["$ref"].removeprefix(_REF)]}
    return {**result, "$defs": kept} if kept else result


def _contains_itself(name: str, named: Mapping[str, Schema]) -> bool:
    seen: set[str] = set()
    queue = list(_references(named[name]))
    while queue:
        reference = queue.pop()
        if reference == name:
            return True
        if reference not in seen:
            seen.add(reference)
            queue += _references(named.get(reference, {}))
    return False


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [name for inner in part for name in _references(inner)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"].removeprefix(_REF)] if isinstance(part.get("$ref"), str) else []
    return own + [name for inner in part.values() for name in _references(inner)]


def _is_complete(schema: Schema) -> bool:
    """Whether the schema leaves no part open, and pydantic reads all its parts as the service does."""
    if schema.get("format") in _NOT_PYDANTICS:
        return False
    if "$ref" in schema or "enum" in schema or "const" in schema:
        return True
    if branches := schema.get("anyOf", schema.get("oneOf", schema.get("allOf"))):
        return all(_is_complete(branch) for branch in branches)
    if "type" not in schema:
        return False
    inner = [*schema.get("properties", {}).values(), *schema.get("prefixItems", ())]
    if schema["type"] == "array" and "prefixItems" not in schema:
        inner.append(schema.get("items", {}))
    if schema["type"] == "object" and "properties" not in schema:
        extra = schema.get("additionalProperties", {})
        inner.append(extra if isinstance(extra, dict) else {})
    return all(_is_complete(part) for part in (*inner, *schema.get("$defs", {}).values()))


def only_json(annotation: Any) -> bool:
    """Whether all values of the annotation are plain JSON, which needs no conversion."""
    if annotation in _JSON or annotation is None:
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return all(isinstance(value, _JSON) for value in arguments)
    if origin is typing.Annotated:
        from pydantic.fields import FieldInfo

        return only_json(arguments[0]) and all(isinstance(constraint, FieldInfo | str) for constraint in arguments[1:])
    if typing_extensions.is_typeddict(annotation):
        arguments = tuple(typing_extensions.get_type_hints(annotation).values())
    elif origin not in (list, typing.Union, types.UnionType) and (origin is not dict or arguments[0] is not str):
        return False
    return all(map(only_json, arguments))


def own_signature(signature: Any, inferred: Schema, instances: list[Any]) -> Schema:
    """Return the user's signature of one instance, which replaces the schema inferred from the example.

    Parameters
    ----------
    signature
        A pydantic model, or any type that pydantic can describe by JSON Schema: a TypedDict, an annotation.

    Raises
    ------
    InvalidInput
        The type has no schema, or its fields differ from the example's.
    """
    try:
        schema = json_schema(supported(signature))
        Validator(schema)
    except Exception as error:
        named = getattr(signature, "__name__", repr(signature))
        raise InvalidInput(
            f"the signature {named} cannot be checked: {error}", "pass a pydantic model of one instance, or a TypedDict"
        ) from error
    names, columns = schema.get("properties"), inferred.get("properties")
    if columns is None or any(not isinstance(instance, dict) for instance in instances):
        return schema
    if names is None:
        raise InvalidInput(
            "the signature has no fields, but the example's instances have fields",
            f"pass a pydantic model with the fields {', '.join(columns)}",
        )
    missing, unknown = [n for n in columns if n not in names], [n for n in names if n not in columns]
    if missing or unknown:
        lacks = f"it lacks {', '.join(map(repr, missing))}" if missing else ""
        has = f"it has {', '.join(map(repr, unknown))}, which the example lacks" if unknown else ""
        raise InvalidInput(
            f"the signature's fields differ from the example's: {' and '.join(filter(None, (lacks, has)))}",
            "use the same fields; give a default to an optional field",
        )
    # An unknown key is an error, unless the model allows extra keys.
    return {"additionalProperties": False, **schema}


def variants_without(instance: Any, schema: Schema) -> list[tuple[str, dict[str, Any]]]:
    """Return, for each field that ``schema`` allows to be null or absent, ``instance`` without its value."""
    variants: list[tuple[str, dict[str, Any]]] = []
    if not isinstance(instance, dict):
        return variants
    required = schema.get("required", [])
    for name, inner in schema.get("properties", {}).items():
        if nullable(inner) == inner and inner:
            variants.append((name, {**instance, name: None}))
        if name not in required and "default" not in inner:
            variants.append((name, {key: value for key, value in instance.items() if key != name}))
    return variants
