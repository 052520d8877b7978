"""Attributes of the user's objects, read without running the user's code."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Any

from jupyter_deploy.environments.module_origins import local_module

_dict_of = type.__dict__["__dict__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_module_of = type.__dict__["__module__"].__get__


def bases_of(kind: type) -> tuple[type, ...]:
    """Return a class and its bases, regardless of its metaclass."""
    bases: tuple[type, ...] = _mro_of(kind)
    return bases


def module_of(kind: type) -> str:
    """Return the name of a class's module; empty if it has none."""
    try:
        name = _module_of(kind)
    except AttributeError:
        return ""
    return name if isinstance(name, str) else ""


def own(value: Any) -> Mapping[str, Any]:
    """Return an object's own attributes; none without a real ``__dict__``."""
    for base in bases_of(type(value)):
        descriptor = _dict_of(base).get("__dict__")
        if descriptor is not None:
            if type(descriptor).__name__ != "getset_descriptor":
                return {}
            attributes = descriptor.__get__(value, type(value))
            return attributes if type(attributes) is dict else {}
    return {}


@cache
def is_library(module: str) -> bool:
    """Whether a loaded module belongs to an installed distribution or to the standard library."""
    if module == "builtins":
        return True
    return module != "__main__" and module in sys.modules and local_module(module) is None


def of_library(kind: type) -> bool:
    """Whether a class and all its bases are installed ones, whose properties are known to be harmless."""
    return all(is_library(module_of(base)) for base in bases_of(kind))


def dodges(kind: type) -> bool:
    """Whether even ``isinstance`` may run code of the objects: proxies, mocks and the like."""
    if not is_library(module_of(type(kind))):  # a metaclass can override isinstance and equality
        return True
    for base in bases_of(kind)[:-1]:  # the last one is object
        attributes = _dict_of(base)
        if "__class__" in attributes or ("__getattribute__" in attributes and not is_library(module_of(base))):
            return True
    return False


def attribute(value: Any, name: str) -> Any:
    """Return an object's attribute; None if it has none, or if only the user's code could compute it."""
    stored = own(value).get(name)
    if stored is not None:
        return stored
    for base in bases_of(type(value)):
        if name in _dict_of(base):
            entry = _dict_of(base)[name]
            if not hasattr(type(entry), "__get__") or isinstance(entry, FunctionType):
                return entry
            if is_library(module_of(base)):
                with contextlib.suppress(Exception):  # a property without a value yet
                    return entry.__get__(value, type(value))
            return None
    return None


def has_method(value: Any, name: str) -> bool:
    """Whether the class defines a method of this name."""
    method = inspect.getattr_static(value, name, None)
    if method is None:
        return False
    if (
        type(method).__name__ != "_AvailableIfDescriptor"
    ):  # scikit-learn's: the method exists if the inner estimator has it
        return callable(method) or isinstance(method, classmethod)
    inner = last_step(value)
    if inner is not None:
        return has_method(inner, name)
    if not of_library(type(value)):
        return True
    with contextlib.suppress(Exception):
        return hasattr(value, name)
    return False


def last_step(value: Any) -> Any:
    """Return the estimator behind a pipeline or a search; None: the object itself predicts."""
    parts = own(value)
    steps = parts.get("steps")
    if type(steps) is list and steps:
        return steps[-1][1]
    return next((parts[name] for name in ("best_estimator_", "estimator_", "estimator") if name in parts), None)
