"""Sources of modules: their imports, and whether a loaded module still equals its source."""

from __future__ import annotations

import dis
import os
from collections.abc import Iterator
from functools import partial
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_WRAPPERS = ("fget", "fset", "fdel", "func", "__func__", "__wrapped__")
_DEPTH = 6
_OF_EVERY_CLASS = ("__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__slotnames__")
_PLAIN = (type(None), bool, int, float, str, bytes)


def imports_in(code: CodeType, package: str | None, *, nested: bool = True) -> Iterator[str]:
    """Yield the absolute names of all modules that the code may import, in order.

    ``from a import b`` yields ``a`` and ``a.b``, since ``b`` may be a module; ``a.b`` also yields ``a``.

    Parameters
    ----------
    package
        The package that relative imports refer to.
    nested
        Also imports in functions and classes.
    """
    before: list[Any] = [0, None]
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            level, names = before[-2:]
            base = _absolute(str(instruction.argval or ""), int(level or 0), package)
            if base:
                parts = base.split(".")
                yield from (".".join(parts[: count + 1]) for count in range(len(parts)))
                yield from (f"{base}.{name}" for name in names or () if name != "*")
        before = [before[-1], instruction.argval]
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and nested:
            yield from imports_in(constant, package)


def _absolute(name: str, level: int, package: str | None) -> str | None:
    if level == 0:
        return name
    parts = (package or "").split(".")
    if not package or level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def compiled(file: Path) -> CodeType | None:
    """Compile a source file; None for another kind of file.

    Raises
    ------
    OSError
        The file cannot be read.
    SyntaxError, ValueError
        The file is not Python.
    """
    if file.suffix != ".py":
        return None
    return compile(file.read_bytes(), str(file), "exec", dont_inherit=True)


def is_as_written(module: ModuleType) -> bool:
    """Whether Python's own loader made the module: an import hook may make other code from the same source."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if loader is None or isinstance(loader, ExtensionFileLoader):
        return True
    plain = SourceFileLoader
    return isinstance(loader, plain) and all(
        getattr(type(loader), name) is getattr(plain, name) for name in ("get_code", "source_to_code")
    )


def edited(module: ModuleType, code: CodeType) -> list[str]:
    """Return the qualified names of a loaded module's functions that its source does not contain."""
    source_codes: dict[str, set[Any]] = {}
    for part in _codes(code):
        source_codes.setdefault(part.co_qualname, set()).add(_meaning(part))
    file = os.path.realpath(code.co_filename)
    names = {
        part.co_qualname: None
        for function in _functions_of(module)
        for part in [function.__code__]
        if os.path.realpath(part.co_filename) == file and _meaning(part) not in source_codes.get(part.co_qualname, ())
    }
    return list(names)


def is_same(first: Any, second: Any, within: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two functions or classes of one name are equal, as before and after a reload that changed others.

    True only where that is certain: no closures, and attributes that are functions or plain values. A class's bases
    are compared too: an inherited method may have changed.

    Parameters
    ----------
    within
        The pairs under comparison, by their addresses: a class's attribute may lead back to the class.
    """
    pair = (id(first), id(second))
    if first is second or pair in within:
        return True
    if isinstance(first, FunctionType) and isinstance(second, FunctionType):
        plain = not (first.__closure__ or second.__closure__ or first.__defaults__ or first.__kwdefaults__)
        return plain and _meaning(first.__code__) == _meaning(second.__code__)
    if isinstance(first, type) and isinstance(second, type):
        first_attributes, second_attributes = (
            {k: v for k, v in vars(cls).items() if k not in _OF_EVERY_CLASS} for cls in (first, second)
        )
        bases = zip(first.__bases__, second.__bases__, strict=False)
        return (
            type(first) is type(second)
            and first_attributes.keys() == second_attributes.keys()
            and len(first.__bases__) == len(second.__bases__)
            and all(is_same(base, second_base, within | {pair}) for base, second_base in bases)
            and all(
                is_same(value, second_attributes[name], within | {pair}) for name, value in first_attributes.items()
            )
        )
    return type(first) is type(second) and isinstance(first, _PLAIN) and first == second


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _meaning(code: CodeType) -> tuple[Any, ...]:
    """Return the behaviour of a code object without its line numbers: an edited comment changes nothing."""
    return (
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_exceptiontable,
        tuple(map(_constant, code.co_consts)),
    )


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _meaning(value)
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    return (type(value), frozenset(map(_constant, value)) if isinstance(value, frozenset) else repr(value))


def _functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Yield the functions that a module defines, also in its classes and below decorators."""
    queue = [(value, 0) for value in list(vars(module).values())]
    seen: set[int] = set()
    while queue:
        value, depth = queue.pop()
        if id(value) in seen or depth > _DEPTH:
            continue
        seen.add(id(value))
        within: list[Any] = []
        if isinstance(value, FunctionType):
            if value.__globals__ is vars(module):
                yield value
            within = [getattr(value, "__wrapped__", None), *_closure(value)]
        elif isinstance(value, type):
            within = list(vars(value).values()) if value.__module__ == module.__name__ else []
        elif isinstance(value, property | staticmethod | classmethod | partial) or hasattr(type(value), "cache_info"):
            within = [getattr(value, name, None) for name in _WRAPPERS]
        queue.extend((part, depth + 1) for part in within if part is not None)


def _closure(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        if isinstance(value, FunctionType):
            yield value
