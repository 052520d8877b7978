"""Attributes of somebody's objects, had without running anything of theirs."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Any

from jupyter_deploy.environments.module_origins import local_place

_dict_of = type.__dict__["__dict__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_module_of = type.__dict__["__module__"].__get__


def bases_of(kind: type) -> tuple[type, ...]:
    """A class and its bases, whatever its metaclass says."""
    found: tuple[type, ...] = _mro_of(kind)
    return found


def module_of(kind: type) -> str:
    """Name of a class's module; empty if it says none."""
    try:
        name = _module_of(kind)
    except AttributeError:
        return ""
    return name if isinstance(name, str) else ""


def own(value: Any) -> Mapping[str, Any]:
    """The attributes that an object itself has; none where it has no ``__dict__``, or its class made one up."""
    for base in bases_of(type(value)):
        descriptor = _dict_of(base).get("__dict__")
        if descriptor is not None:
            if type(descriptor).__name__ != "getset_descriptor":
                return {}
            found = descriptor.__get__(value, type(value))
            return found if type(found) is dict else {}
    return {}


@cache
def is_library(module: str) -> bool:
    """Whether a module belongs to an installed distribution or to the standard library, and is loaded."""
    if module == "builtins":
        return True
    return module != "__main__" and module in sys.modules and local_place(module) is None


def of_library(kind: type) -> bool:
    """Whether a class and all its bases are installed ones: then what its properties do is known to be harmless."""
    return all(is_library(module_of(base)) for base in bases_of(kind))


def dodges(kind: type) -> bool:
    """Whether even ``isinstance`` may run code of its objects: proxies, mocks and their like."""
    if not is_library(module_of(type(kind))):  # a metaclass, which may say what instances and equals are
        return True
    for base in bases_of(kind)[:-1]:  # the last one is object
        says = _dict_of(base)
        if "__class__" in says or ("__getattribute__" in says and not is_library(module_of(base))):
            return True
    return False


def attribute(value: Any, name: str) -> Any:
    """What an object has under a name; None if nothing, or if only code of the user's own could tell."""
    found = own(value).get(name)
    if found is not None:
        return found
    for base in bases_of(type(value)):
        if name in _dict_of(base):
            entry = _dict_of(base)[name]
            if not hasattr(type(entry), "__get__") or isinstance(entry, FunctionType):
                return entry
            if is_library(module_of(base)):
                with contextlib.suppress(Exception):  # a property that has no value yet
                    return entry.__get__(value, type(value))
            return None
    return None


def has_method(value: Any, name: str) -> bool:
    """Whether it has a method of this name, as far as its class says."""
    found = inspect.getattr_static(value, name, None)
    if found is None:
        return False
    if (
        type(found).__name__ != "_AvailableIfDescriptor"
    ):  # scikit-learn's: whether it is there depends on what is inside
        return callable(found) or isinstance(found, classmethod)
    inner = last_step(value)
    if inner is not None:
        return has_method(inner, name)
    if not of_library(type(value)):
        return True
    with contextlib.suppress(Exception):
        return hasattr(value, name)
    return False


def last_step(value: Any) -> Any:
    """The estimator that answers for a pipeline or a search; None: it answers itself."""
    parts = own(value)
    steps = parts.get("steps")
    if type(steps) is list and steps:
        return steps[-1][1]
    return next((parts[name] for name in ("best_estimator_", "estimator_", "estimator") if name in parts), None)
