"""Reductions of objects in a notebook that neither pickle nor cloudpickle supports."""

from __future__ import annotations

import dataclasses
import functools
import operator
import sys
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from .project_code import ProjectCode

# The types of functools.lru_cache and cache, which pickle as a global's name that __main__ lacks elsewhere.
_Cached = type(functools.lru_cache(len))

# Compared by identity: a copy in a dataclass's field would count as its default.
_SENTINELS = {"MISSING": dataclasses.MISSING, "KW_ONLY": dataclasses.KW_ONLY}


def reduced(part: Any, code: ProjectCode) -> Any:
    """Return an object's reduction as by ``__reduce__``, or NotImplemented for other kinds."""
    kind = type(part)
    for name, sentinel in _SENTINELS.items():
        if part is sentinel:
            return name  # a global of its module
    if kind is _Cached:
        return NotImplemented if _is_importable(part, code) else _cached(part)
    if isinstance(part, FunctionType | type) and (same := code.replaced_by_same(part)) is not None:
        module, qualname = same
        return operator.attrgetter(qualname), (module,)
    if kind is functools.cached_property:  # it has a lock in Python 3.11
        state = {name: value for name, value in vars(part).items() if name != "lock"}
        return functools.cached_property, (part.func,), state
    if kind is WeakKeyDictionary:  # part of functools.singledispatch
        return WeakKeyDictionary, (), None, None, iter(part.items())
    return NotImplemented


def _is_importable(part: Any, code: ProjectCode) -> bool:
    name, qualname = part.__module__, part.__qualname__
    if name == "__main__" or code.is_by_value(name):
        return False
    current: Any = sys.modules.get(name)
    for step in qualname.split("."):
        current = getattr(current, step, None)
    return current is part


def _cached(part: Any) -> tuple[Any, ...]:
    """Reduce to an empty cache of the same size around the same function."""
    parameters = part.cache_parameters()
    arguments = (part.__wrapped__, parameters["maxsize"], parameters["typed"], functools._CacheInfo)  # noqa: SLF001
    return _Cached, arguments, dict(vars(part))
