"""Examples of a parameter whose class is a record: a pydantic model or a dataclass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from jupyter_deploy.capture.static_attributes import bases_of, module_of
from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .functions import parameters_of


def is_record(kind: Any) -> bool:
    """Whether a value is the class of records."""
    if not isinstance(kind, type):
        return False
    bases = bases_of(kind)
    is_model = any(base.__name__ == "BaseModel" and module_of(base).startswith("pydantic.") for base in bases)
    return is_model or any("__dataclass_fields__" in vars(base) for base in bases)


def record_of(function: FunctionType) -> Any:
    """Return the class of a function's only parameter if it is one of records; None otherwise."""
    annotations = {name: kind for name, kind in function.__annotations__.items() if name != "return"}
    if len(annotations) != 1 or tuple(annotations) != parameters_of(function):
        return None
    (kind,) = annotations.values()
    kind = function.__globals__.get(kind) if isinstance(kind, str) else kind
    return kind if is_record(kind) else None


def of_record(kind: Any, namespace: Mapping[str, Any]) -> Iterator[tuple[float, ExampleGuess]]:
    """Yield guesses with their scores: a variable that holds such a record, or the first of a list of them."""
    for name, value in namespace.items():
        if name.startswith("_"):
            continue
        if type(value) is kind:
            yield 7.0, ExampleGuess(expression=name, words=f"a {kind.__name__}")
        elif type(value) is list and value and type(value[0]) is kind:
            yield 6.8, ExampleGuess(expression=f"{name}[0]", words=f"the first of {len(value):,} of {kind.__name__}")
