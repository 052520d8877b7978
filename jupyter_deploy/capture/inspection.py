"""What a live object is, how it is called, and what its example says about requests and answers."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.signature import Container, Schema, Signature, infer_schema, with_seen
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput, UnknownSource
from jupyter_deploy.serving.dispatch.deferred_answers import resolve
from jupyter_deploy.serving.natives import callable_of
from jupyter_deploy.serving.values import codec

from .annotations import absent, own_signature
from .examples import alone, container_of, sampled
from .forms import NoForm
from .frameworks import Framework, framework_of
from .schemas import Shown, dtype_of, instance_schema, prototype_of

SAID_LIMIT = 400  # characters of an exception's message that people still read


@dataclass(frozen=True)
class Inspected:
    """An object with its example, asked once in the notebook's own process.

    ``example`` is what the model is called with: the batch itself, or for a ``call`` a list of one dict of arguments
    by name. ``prototype`` is the example without its rows: what requests are rebuilt after.
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
    """Find out how ``model`` is called, and ask it the example.

    Parameters
    ----------
    own
        The user's own signature of one instance, such as a pydantic model; None: the example's and the annotations'.

    Raises
    ------
    UnknownSource
        No such method, or the object cannot be called.
    InvalidExample
        None, an empty one, one that cannot be a request, or one on which the model raises.
    """
    method = method_of(model, method)
    framework = framework_of(model)
    call = callable_of(model, method)
    container, batch = container_of(alone(example), estimator=framework.takes_lists(model))
    native, remarks = sampled(batch, container)
    asked = framework.signature_of(model, call)
    parameters: tuple[str, ...] = ()
    if container == "call":
        parameters, arguments = _arguments(asked, batch)
        native = [arguments]
    prototype, instances = _instances(native, container, parameters, asked)
    schema = instance_schema(Shown(native, container, instances, prototype, asked, parameters))
    if own is not None:
        schema = with_seen(own_signature(own, schema, instances), instances)
    _require_readable(schema, container, parameters, prototype, instances, own=own is not None)
    answer, notes = _ask(model, call, native, container, _called(model, method))
    predictions = _predictions(answer, container, len(instances), _called(model, method))
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
        kind=f"{type(model).__module__}.{type(model).__qualname__}",
        example=native,
        prototype=prototype,
        signature=signature,
        instances=instances,
        predictions=predictions,
        notes=(*notes, *remarks),
    )


def method_of(model: Any, method: str | None) -> str | None:
    """The method that answers; None: the call itself. Raises UnknownSource."""
    if isinstance(model, type):
        raise UnknownSource(
            f"{model.__name__} is a class, not a model", f"deploy an instance, such as {model.__name__}(…)"
        )
    if method is not None:
        if not callable(getattr(model, method, None)):
            methods = [n for n in ("predict", "predict_proba", "transform", "forward", "__call__") if hasattr(model, n)]
            raise UnknownSource(
                f"{type(model).__name__} has no method '{method}'",
                f"it has: {', '.join(methods)}" if methods else "name a method that answers",
            )
        return method
    method = framework_of(model).method(model)
    if method is None and not callable(model):
        raise UnknownSource(
            f"an object of type {type(model).__name__} is no model: it has no 'predict' and cannot be called",
            "deploy an estimator, a torch module or a function, or name the method with --method",
        )
    return method


def _arguments(call: Callable[..., Any], example: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The function's parameter names, and the example as arguments by name.

    With one parameter the example is its value. With several it is a dict or a tuple of them, and those that have
    defaults may be left out; a single value will do where one is enough.
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
        f"the function takes {', '.join(names)}, and the example is {_kind_of(example)}",
        f'write --example "dict({", ".join(f"{name}=…" for name in names)})"',
    )


def _kind_of(example: Any) -> str:
    if isinstance(example, dict):
        return f"a dict of {', '.join(map(str, example)) or 'nothing'}"
    return f"a tuple of {len(example)}" if isinstance(example, tuple) else f"one {type(example).__name__}"


def _usable_parameters(call: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        found = inspect.signature(call).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"cannot see the parameters of {call!r}", "wrap it in a function of your own") from error
    usable = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.POSITIONAL_ONLY for p in usable):
        raise InvalidInput(f"{call!r} takes positional-only parameters", "wrap it in a function with named ones")
    if not usable:
        name = getattr(call, "__name__", type(call).__name__)
        raise InvalidInput(f"{name}() takes no input", "deploy a function of the request's data")
    return usable


def _instances(
    native: Any, container: Container, parameters: tuple[str, ...], call: Callable[..., Any]
) -> tuple[Any, list[Any]]:
    """The prototype and the example's JSON."""
    try:
        prototype = prototype_of(native, container, call)
        return prototype, codec.instances_of(native, container, parameters, prototype)
    except NoForm as error:
        said = str(error) if container == "call" else f"the example holds {error}"
        raise InvalidExample(
            f"{said}, which a JSON request cannot bring back as one",
            "let the model take numbers, texts, dates, lists, dicts, arrays, tables, images; and make the rest itself",
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidExample(
            f"the example cannot be sent as JSON: {_said(error)}",
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
    """The service must be able to read the example itself, once it has been JSON, and what ``own`` lets be missing."""
    reading = codec.Codec({"container": container, "parameters": parameters, "instance_schema": schema}, prototype)
    try:
        reading.decode(instances)
    except codec.InvalidInstances as error:
        found = "\n".join(f"  {'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors[:5])
        if own:
            raise InvalidExample(
                "the example is not what the signature says", "mend the one or the other", found
            ) from error
        raise InvalidExample(
            "the example does not survive being sent as JSON",
            "leave out what JSON cannot carry (infinities, intervals, periods, objects), or make it inside the model",
            found,
        ) from error
    for name, instance in absent(instances[0], schema) if own else ():
        try:
            reading.decode([instance])
        except codec.InvalidInstances as error:
            raise InvalidInput(
                f"the signature lets '{name}' be missing, and the model's input does not: it {error.errors[0]['msg']}",
                f"give '{name}' a default or a type that may be missing (Int64, float), or require it in the signature",
            ) from error


def _ask(
    model: Any, call: Callable[..., Any], native: Any, container: Container, name: str
) -> tuple[Any, tuple[str, ...]]:
    """The notebook's own answer; the example is copied first, since a model may write into its input."""
    framework = framework_of(model)
    with framework.asking(model) as notes:
        try:
            if container == "call":
                answer = resolve(call(**{key: _copied(value) for key, value in native[0].items()}))
            else:
                answer = resolve(call(_copied(native)))
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}"
            raise InvalidExample(
                f"{name} raises on the example: {said if len(said) < SAID_LIMIT else said[:SAID_LIMIT] + ' …'}",
                _remedy(error, framework, container),
            ) from error
    return answer, notes


def _remedy(error: BaseException, framework: Framework, container: Container) -> str:
    if isinstance(error, NameError):
        return f"define '{error.name}' in this notebook before the model is asked"
    hint = framework.hint(error, container) if isinstance(error, Exception) else None
    return hint or "give an example on which it answers in this notebook"


def _copied(value: Any) -> Any:
    """As deep as the replay copies it: what is nested in it may be written into, too."""
    with contextlib.suppress(Exception):  # what a class says of copies of itself may be anything
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
            f"what {name} returns cannot be an answer: {_said(error)}{_where(answer, error)}",
            "return one answer a row: numbers, texts, lists, dicts, an array or a table",
        ) from error


def _where(answer: Any, error: Exception) -> str:
    """`` (in its [0]['a'])``: the way to what has no JSON form."""
    way, part = "", answer
    while isinstance(error, TypeError) and isinstance(part, dict | list | tuple):
        steps = part.items() if isinstance(part, dict) else enumerate(part)
        step = next(((key, inner) for key, inner in steps if not _has_json(inner)), None)
        if step is None:
            break
        way, part = f"{way}[{step[0]!r}]", step[1]
    return f" (in its {way})" if way else ""


def _has_json(value: Any) -> bool:
    try:
        codec.to_json(value)
    except TypeError:
        return False
    return True


def _said(error: Exception) -> str:
    return "it holds itself, or is nested too deep" if isinstance(error, RecursionError) else str(error)


def _called(model: Any, method: str | None) -> str:
    name = getattr(model, "__name__", type(model).__name__)
    return f"{name}.{method}" if method else str(name)
