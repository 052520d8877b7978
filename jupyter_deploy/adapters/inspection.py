"""What a live object is, how it is called, and what its example says about requests and answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.errors import InvalidExample, InvalidInput, UnknownSource
from jupyter_deploy.domain.signature import Container, Signature, infer_schema
from jupyter_deploy.serving import codec
from jupyter_deploy.serving.calling import settled
from jupyter_deploy.serving.natives import callable_of

from .frameworks import Framework, framework_of
from .schemas import dtype_of, instance_schema, prototype_of

_PLAIN_DEPTH = 100  # more than anybody nests, less than what JSON's own writer and reader can do
# Containers that libraries make of a table.
_OF_LIBRARIES = frozenset(
    {"xgboost.DMatrix", "xgboost.QuantileDMatrix", "lightgbm.Dataset", "catboost.Pool", "_catboost.Pool"}
)

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


def inspect_model(model: Any, example: Any, method: str | None) -> Inspected:
    """Find out how ``model`` is called, and ask it the example.

    Raises
    ------
    UnknownSource
        No such method, or the object cannot be called.
    InvalidExample
        None, an empty one, one that cannot be a request, or one on which the model raises.
    """
    method = _method_of(model, method)
    framework = framework_of(model)
    call = callable_of(model, method)
    container, batch = _container_of(model, _own(example))
    asked = framework.signature_of(model, call)
    parameters: tuple[str, ...] = ()
    native = batch
    if container == "call":
        parameters, arguments = _arguments(asked, batch)
        _require_plain(arguments)
        native = [arguments]
    instances = _instances(native, container, parameters)
    answer, notes = _ask(model, call, native, container, _called(model, method))
    predictions = _predictions(answer, container, len(instances), _called(model, method))
    signature = Signature(
        container=container,
        parameters=parameters,
        instance_schema=instance_schema(native, container, instances, asked, parameters),
        answer_schema=infer_schema(predictions, fixed_lengths=getattr(answer, "ndim", 1) > 1),
        answer_dtype=dtype_of(answer, predictions),
    )
    prototype = prototype_of(native, container)
    _require_readable(signature, prototype, instances)
    return Inspected(
        method=method,
        framework=framework.name,
        kind=f"{type(model).__module__}.{type(model).__qualname__}",
        example=native,
        prototype=prototype,
        signature=signature,
        instances=instances,
        predictions=predictions,
        notes=notes,
    )


def _method_of(model: Any, method: str | None) -> str | None:
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


def _container_of(model: Any, example: Any) -> tuple[Container, Any]:
    """What the example is, and the example in the form in which the model gets a batch of it."""
    if example is None:
        raise InvalidExample(
            "there is no example of what the model is asked", "add one, such as --example 'X_test[:5]'"
        )
    estimator = framework_of(model).takes_lists(model)
    kind = f"{type(example).__module__.partition('.')[0]}.{type(example).__name__}"
    if kind in _OF_LIBRARIES:
        raise InvalidExample(
            f"the example is a {kind}, which no request can bring",
            "give the rows that it was made of, such as X_test[:5]",
        )
    if kind == "pandas.DataFrame":
        _check_frame(example)
        return "frame", example
    if kind in ("numpy.ndarray", "torch.Tensor"):
        if example.ndim >= 2:
            _require_rows(len(example))
            return ("array" if kind.startswith("numpy") else "tensor"), example
        if estimator and example.ndim == 1:
            _require_rows(len(example))
            return "list", example.tolist()
    if kind == "pandas.Series":
        return "list", _texts_of(example, estimator=estimator)
    if hasattr(example, "tocsr"):
        raise InvalidExample("the example is a sparse matrix", "deploy the pipeline that makes it, with its own input")
    if isinstance(example, list) and estimator:
        _require_rows(len(example))
        return "list", example
    return "call", example


def _own(example: Any) -> Any:
    """Without what a tensor keeps alive but does not show: five rows of X_test would be stored as all of it."""
    if isinstance(example, tuple):
        return tuple(map(_own, example)) if type(example) is tuple else example
    if type(example) is dict:
        return {key: _own(value) for key, value in example.items()}
    if f"{type(example).__module__}.{type(example).__name__}" == "torch.Tensor":
        return example.detach().clone()
    return example


def _texts_of(series: Any, *, estimator: bool) -> list[str]:
    if not estimator or not all(isinstance(value, str) for value in series):
        raise InvalidExample(
            "the example is a pandas Series", "give rows of a table (X[:5]) or a list (x[:5].tolist())"
        )
    _require_rows(len(series))
    return list(series)


def _check_frame(frame: Any) -> None:
    _require_rows(len(frame))
    names = [str(column) for column in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidExample(f"the example has several columns named {', '.join(twice)}", "give each its own name")
    if frame.columns.nlevels > 1:
        raise InvalidExample("the example has several levels of column names", "flatten them first")


def _require_rows(count: int) -> None:
    if count == 0:
        raise InvalidExample("the example is empty", "give a few rows, such as 'X_test[:5]'")


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


def _instances(native: Any, container: Container, parameters: tuple[str, ...]) -> list[Any]:
    try:
        return codec.instances_of(native, container, parameters)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidExample(
            f"the example cannot be sent as JSON: {_said(error)}",
            "deploy a function of numbers, texts, lists, dicts or tables",
        ) from error


def _require_plain(arguments: dict[str, Any]) -> None:
    """A request must bring each argument back as what it was in the notebook."""
    for name, value in arguments.items():
        kind = _not_plain(value)
        if kind:
            raise InvalidExample(
                f"the argument '{name}' holds a {kind}, which a JSON request cannot bring back as one",
                "let the function take numbers, texts, lists, dicts or arrays, and make the rest of them inside",
            )


def _not_plain(value: Any, depth: int = 0) -> str | None:
    if depth > _PLAIN_DEPTH:
        return "value that holds itself, or is nested too deep"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if hasattr(value, "dtype") and not kind.startswith("pandas."):
        return None
    if isinstance(value, dict | list | tuple):
        children = value.values() if isinstance(value, dict) else value
        return next((found for child in children if (found := _not_plain(child, depth + 1))), None)
    return None if type(value) in (bool, int, float, str, type(None)) else kind


def _require_readable(signature: Signature, prototype: Any, instances: list[Any]) -> None:
    """The service must be able to read the example itself, once it has been JSON."""
    try:
        codec.Codec(signature.model_dump(), prototype).decode(instances)
    except codec.InvalidInstances as error:
        raise InvalidExample(
            "the example does not survive being sent as JSON",
            "leave out what JSON cannot carry (infinities, intervals, periods, objects), or make it inside the model",
            "\n".join(f"  {'.'.join(map(str, found['loc'][1:]))}: {found['msg']}" for found in error.errors[:5]),
        ) from error


def _ask(
    model: Any, call: Callable[..., Any], native: Any, container: Container, name: str
) -> tuple[Any, tuple[str, ...]]:
    """The notebook's own answer; the example is copied first, since a model may write into its input."""
    framework = framework_of(model)
    with framework.asking(model) as notes:
        try:
            if container == "call":
                answer = settled(call(**{key: _copied(value) for key, value in native[0].items()}))
            else:
                answer = settled(call(_copied(native)))
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
            f"what {name} returns cannot be an answer: {_said(error)}",
            "return one answer a row: numbers, texts, lists, dicts, an array or a table",
        ) from error


def _said(error: Exception) -> str:
    return "it holds itself, or is nested too deep" if isinstance(error, RecursionError) else str(error)


def _called(model: Any, method: str | None) -> str:
    name = getattr(model, "__name__", type(model).__name__)
    return f"{name}.{method}" if method else str(name)
