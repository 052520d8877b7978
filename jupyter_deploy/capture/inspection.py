"""Inspection of a live object: how it is called, and the signature that its example gives."""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jupyter_deploy.domain.capture.signature import Container, Schema, Signature, infer_schema, with_seen
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput, UnknownSource
from jupyter_deploy.serving.dispatch.deferred_answers import resolve
from jupyter_deploy.serving.natives import callable_of
from jupyter_deploy.serving.values import codec

from .annotations import own_signature, variants_without
from .examples import container_of, detached, request_of, sampled, table_of
from .forms import UnsupportedValue
from .frameworks import Framework, framework_of
from .schemas import ExampleForms, dtype_of, instance_schema, prototype_of

TEXT_LIMIT = 400  # longest exception message in an error


@dataclass(frozen=True)
class Inspected:
    """An object with its example and its answers in the notebook's own process.

    ``example`` is the model's input: the batch itself, or for a ``call`` a list of one dict of arguments by name.
    ``prototype`` is the example without its rows, the pattern for rebuilding requests.
    """

    method: str | None
    framework: str
    kind: str
    example: Any
    prototype: Any
    signature: Signature
    instances: list[Any]
    predictions: list[Any]
    notes: tuple[str, ...]


def inspect_model(model: Any, example: Any, method: str | None, own: Any = None) -> Inspected:
    """Determine how to call ``model``, and call it with the example.

    A dict of columns that the model does not take is a table.

    Parameters
    ----------
    own
        The user's own signature of one instance, such as a pydantic model; None: inferred from example and annotations.

    Raises
    ------
    UnknownSource
        The method does not exist, or the object is not callable.
    InvalidExample
        The example is missing or empty, cannot be a request, or makes the model raise.
    """
    try:
        inspected = _inspect(model, example, method, own)
    except InvalidExample as error:
        table = table_of(example)
        if table is None:
            raise
        try:
            inspected = _inspect(model, table, method, own)
        except InvalidExample as failure:
            rows = json.loads(table.head(1).to_json(orient="records", date_format="iso"))
            raise InvalidExample(
                f"{error.message}; as a table, the example, a dict of columns, fails too: {failure.message}",
                f"pass an example that the model takes, such as rows: --example 'X_test[:5]'. {request_of(rows)}",
            ) from error
        note = f"the example, a dict of columns, is deployed as a table. {request_of(inspected.instances)}"
        return replace(inspected, notes=(*inspected.notes, note))
    if len(inspected.signature.parameters) == 1 and table_of(example) is not None:
        note = f"the example is one dict of columns, and so is each instance. {request_of(inspected.instances)}"
        return replace(inspected, notes=(*inspected.notes, f"{note}; for an answer a row write --example as a table"))
    return inspected


def _inspect(model: Any, example: Any, method: str | None, own: Any) -> Inspected:
    method = method_of(model, method)
    framework = framework_of(model)
    call = callable_of(model, method)
    container, batch = container_of(detached(example), estimator=framework.takes_lists(model))
    native, remarks = sampled(batch, container)
    function = framework.signature_of(model, call)
    parameters: tuple[str, ...] = ()
    if container == "call":
        parameters, arguments = _arguments(function, batch)
        native = [arguments]
    prototype, instances = _instances(native, container, parameters, function)
    schema = instance_schema(ExampleForms(native, container, instances, prototype, function, parameters))
    if own is not None:
        schema = with_seen(own_signature(own, schema, instances), instances)
    _require_readable(schema, container, parameters, prototype, instances, own=own is not None)
    answer, notes = _predict(model, call, native, container, _call_text(model, method))
    predictions = _predictions(answer, container, len(instances), _call_text(model, method))
    signature = Signature(
        container=container,
        parameters=parameters,
        instance_schema=schema,
        answer_schema=infer_schema(predictions, fixed_lengths=getattr(answer, "ndim", 1) > 1),
        answer_dtype=dtype_of(answer, predictions),
    )
    return Inspected(
        method=method,
        framework=framework.name,
        kind=framework.kind(model),
        example=native,
        prototype=prototype,
        signature=signature,
        instances=instances,
        predictions=predictions,
        notes=(*notes, *remarks),
    )


def request_schema(model: Any, example: Any, method: str | None) -> Schema | None:
    """Return the schema of one instance of a table or an array, without a call of the model; None: it is one call.

    Raises
    ------
    UnknownSource, InvalidExample, InvalidInput
        As ``inspect_model``, as far as that is known without a call.
    """
    method = method_of(model, method)
    framework = framework_of(model)
    function = framework.signature_of(model, callable_of(model, method))
    container, batch = container_of(detached(example), estimator=framework.takes_lists(model))
    if container == "call":
        if table_of(example) is None:
            _arguments(function, batch)
        return None
    native, _ = sampled(batch, container)
    prototype, instances = _instances(native, container, (), function)
    return instance_schema(ExampleForms(native, container, instances, prototype, function, ()))


def method_of(model: Any, method: str | None) -> str | None:
    """Return the method for predictions; None: the object itself is called. Raises UnknownSource."""
    if isinstance(model, type):
        raise UnknownSource(
            f"{model.__name__} is a class, not a model", f"deploy an instance, such as {model.__name__}(…)"
        )
    if method is not None:
        if not callable(getattr(model, method, None)):
            methods = [n for n in ("predict", "predict_proba", "transform", "forward", "__call__") if hasattr(model, n)]
            raise UnknownSource(
                f"{type(model).__name__} has no method '{method}'",
                f"it has: {', '.join(methods)}" if methods else "name a method for predictions",
            )
        return method
    method = framework_of(model).method(model)
    if method is None and not callable(model):
        raise UnknownSource(
            f"an object of type {type(model).__name__} is not a model: it has no 'predict' and is not callable",
            "deploy an estimator, a torch module or a function, or name the method with --method",
        )
    return method


def _arguments(call: Callable[..., Any], example: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the function's parameter names, and the example as arguments by name.

    With one parameter the example is its value. With several it is a dict or a tuple; parameters with defaults may be
    left out, and a single value is enough for a single required parameter.
    """
    usable = _usable_parameters(call)
    names = [p.name for p in usable]
    required = [p.name for p in usable if p.default is p.empty]
    if len(names) == 1:
        return (names[0],), {names[0]: example}
    if isinstance(example, dict) and set(required) <= set(example) <= set(names):
        return tuple(names), {name: example[name] for name in names if name in example}
    if isinstance(example, tuple) and len(required) <= len(example) <= len(names):
        return tuple(names), dict(zip(names, example, strict=False))
    if len(required) <= 1 and not isinstance(example, tuple):
        return tuple(names), {required[0] if required else names[0]: example}
    raise InvalidExample(
        f"the function takes {', '.join(names)}, but the example is {_kind_of(example)}",
        f'write --example "dict({", ".join(f"{name}=…" for name in names)})"',
    )


def _kind_of(example: Any) -> str:
    if isinstance(example, dict):
        return f"a dict of {', '.join(map(str, example)) or 'nothing'}"
    return f"a tuple of {len(example)}" if isinstance(example, tuple) else f"one {type(example).__name__}"


def _usable_parameters(call: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the parameters of {call!r} are unknown", "wrap it in a function of your own") from error
    usable = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.POSITIONAL_ONLY for p in usable):
        raise InvalidInput(f"{call!r} takes positional-only parameters", "wrap it in a function with named ones")
    if not usable:
        name = getattr(call, "__name__", type(call).__name__)
        raise InvalidInput(f"{name}() takes no input", "deploy a function with the request's data as parameters")
    return usable


def _instances(
    native: Any, container: Container, parameters: tuple[str, ...], call: Callable[..., Any]
) -> tuple[Any, list[Any]]:
    """Return the prototype and the example's JSON."""
    try:
        prototype = prototype_of(native, container, call)
        return prototype, codec.instances_of(native, container, parameters, prototype)
    except UnsupportedValue as error:
        problem = str(error) if container == "call" else f"the example holds {error}"
        raise InvalidExample(
            f"{problem}, which a JSON request cannot restore",
            "use numbers, texts, dates, lists, dicts, arrays, tables or images, and build other objects in the model",
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidExample(
            f"the example cannot be sent as JSON: {_error_text(error)}",
            "deploy a function of numbers, texts, lists, dicts or tables",
        ) from error


def _require_readable(
    schema: Schema,
    container: Container,
    parameters: tuple[str, ...],
    prototype: Any,
    instances: list[Any],
    *,
    own: bool,
) -> None:
    """Check that the service can read the example from JSON, also without the optional values of ``own``."""
    reading = codec.Codec({"container": container, "parameters": parameters, "instance_schema": schema}, prototype)
    try:
        reading.decode(instances)
    except codec.InvalidInstances as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}" for problem in error.errors[:5]
        )
        if own:
            raise InvalidExample(
                "the example does not match the signature", "correct the one or the other", problems
            ) from error
        raise InvalidExample(
            "the example changes when it is sent as JSON",
            "remove values without JSON (infinities, intervals, periods, objects), or build them inside the model",
            problems,
        ) from error
    for name, instance in variants_without(instances[0], schema) if own else ():
        try:
            reading.decode([instance])
        except codec.InvalidInstances as error:
            raise InvalidInput(
                f"the signature allows a missing '{name}', but the model's input does not: it {error.errors[0]['msg']}",
                f"give '{name}' a default or a type that may be missing (Int64, float), or require it in the signature",
            ) from error


def _predict(
    model: Any, call: Callable[..., Any], native: Any, container: Container, name: str
) -> tuple[Any, tuple[str, ...]]:
    """Return the notebook's own answer; the example is copied first, since a model may modify its input."""
    framework = framework_of(model)
    with framework.asking(model) as notes:
        try:
            if container == "call":
                answer = resolve(call(**{key: _copied(value) for key, value in native[0].items()}))
            else:
                answer = resolve(call(_copied(native)))
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}"
            raise InvalidExample(
                f"{name} raises on the example: {text if len(text) < TEXT_LIMIT else text[:TEXT_LIMIT] + ' …'}",
                _remedy(error, framework, container),
            ) from error
    return answer, notes


def answers_to(model: Any, method: str | None, native: Any, container: Container) -> list[Any]:
    """Return the model's answers to a batch, as in a response.

    Raises
    ------
    InvalidExample
        The model raises, or its return value cannot be an answer.
    """
    call, name = callable_of(model, method), _call_text(model, method)
    answer, _ = _predict(model, call, native, container, name)
    return _predictions(answer, container, len(native), name)


def _remedy(error: BaseException, framework: Framework, container: Container) -> str:
    if isinstance(error, NameError):
        return f"define '{error.name}' in this notebook before the deploy"
    hint = framework.hint(error, container) if isinstance(error, Exception) else None
    return hint or "pass an example that works in this notebook"


def _copied(value: Any) -> Any:
    """Copy as deeply as the replay does: the model may also modify nested values."""
    with contextlib.suppress(Exception):  # a class may define copies of itself in any way
        return copy.deepcopy(value)
    if hasattr(value, "clone"):
        return value.clone()
    if hasattr(value, "copy"):
        return value.copy()
    return value


def _predictions(answer: Any, container: Container, rows: int, name: str) -> list[Any]:
    try:
        if container == "call":
            return [codec.to_json(answer)]
        return codec.encode(answer, rows)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidExample(
            f"the return value of {name} cannot be an answer: {_error_text(error)}{_location(answer, error)}",
            "return one answer a row: numbers, texts, lists, dicts, an array or a table",
        ) from error


def _location(answer: Any, error: Exception) -> str:
    """Return the path to the value without JSON, such as `` (in its [0]['a'])``."""
    path, part = "", answer
    while isinstance(error, TypeError) and isinstance(part, dict | list | tuple):
        steps = part.items() if isinstance(part, dict) else enumerate(part)
        step = next(((key, inner) for key, inner in steps if not _has_json(inner)), None)
        if step is None:
            break
        path, part = f"{path}[{step[0]!r}]", step[1]
    return f" (in its {path})" if path else ""


def _has_json(value: Any) -> bool:
    try:
        codec.to_json(value)
    except TypeError:
        return False
    return True


def _error_text(error: Exception) -> str:
    return "it contains itself, or is nested too deep" if isinstance(error, RecursionError) else str(error)


def _call_text(model: Any, method: str | None) -> str:
    name = getattr(model, "__name__", type(model).__name__)
    return f"{name}.{method}" if method else str(name)
