"""The check for a redefined class: the model's class was changed and defined again after the model was made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from jupyter_deploy.capture.pickling import parts
from jupyter_deploy.domain.capture.findings import Finding

from .candidate import LiveCandidate

_PARTS_LIMIT = 5000
_ITEMS_LIMIT = 100
_NOTED = frozenset({"__firstlineno__", "__slotnames__"})  # set by the compiler, and by copyreg at pickling
_PLAIN = (bool, int, float, str, bytes, tuple, type(None))


def redefined_class(candidate: LiveCandidate) -> Iterator[Finding]:
    """Check ``redefined-class``: the notebook's class of that name is a different one now."""
    live = candidate.live
    for kind in _classes_of(live.model):
        name = kind.__qualname__
        present = live.namespace.get(name)
        if not isinstance(present, type) or present is kind or present.__module__ != kind.__module__:
            continue
        if _essence(present) != _essence(kind):
            pattern = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
            cells = [number for number, cell in enumerate(live.cells, 1) if pattern.search(cell)]
            yield Finding(
                check="redefined-class",
                severity="warning",
                message=f"the class {name} was changed and defined again after the model was made: "
                "the model still uses the previous class",
                remedy="run the cell that makes the model",
                cell=cells[-1] if cells else None,
            )


def _classes_of(model: Any) -> Iterator[type]:
    """Yield the notebook's own classes of a model's parts."""
    seen: set[int] = set()
    queue = [model]
    while queue and len(seen) < _PARTS_LIMIT:
        part = queue.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, type):
            if part.__module__ == "__main__":
                yield part
            continue
        queue += (child for _, child in islice(parts(part), _ITEMS_LIMIT))
        queue.append(type(part))


def _essence(value: Any, within: tuple[type, ...] = ()) -> Any:
    """Return a class's behaviour without its location: an unchanged cell that runs again changes nothing."""
    if isinstance(value, type):
        # An attribute may refer back to it.
        inner = {} if value in within else vars(value)
        within = (*within, value)
        attributes = {key: _essence(child, within) for key, child in inner.items() if key not in _NOTED}
        return [base.__qualname__ for base in value.__bases__], attributes
    if isinstance(value, FunctionType):
        return _essence(value.__code__, within), _essence(value.__defaults__, within)
    if isinstance(value, staticmethod | classmethod):
        return type(value).__name__, _essence(value.__func__, within)
    if isinstance(value, property):
        return [_essence(function, within) for function in (value.fget, value.fset, value.fdel)]
    if isinstance(value, CodeType):
        return (
            value.co_code,
            value.co_names,
            value.co_varnames,
            [_essence(constant, within) for constant in value.co_consts],
        )
    return value if isinstance(value, _PLAIN) else type(value).__name__
