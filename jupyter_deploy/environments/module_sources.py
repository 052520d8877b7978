"""What a module's source says: which modules it imports, and whether the loaded one is still what it says."""

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
    """Absolute names of all modules that the code may import, in order.

    Of ``from a import b`` both ``a`` and ``a.b``, since ``b`` may be a module; of ``a.b`` also ``a``.

    Parameters
    ----------
    package
        What relative imports are relative to.
    nested
        Also those in the functions and classes within.
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
    """What a source file says now; None for another kind of file.

    Raises
    ------
    OSError
        It cannot be read.
    SyntaxError, ValueError
        It is not Python.
    """
    if file.suffix != ".py":
        return None
    return compile(file.read_bytes(), str(file), "exec", dont_inherit=True)


def is_as_written(module: ModuleType) -> bool:
    """Whether Python's own loader made the module: an import hook may make other code of the same source."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if loader is None or isinstance(loader, ExtensionFileLoader):
        return True
    plain = SourceFileLoader
    return isinstance(loader, plain) and all(
        getattr(type(loader), name) is getattr(plain, name) for name in ("get_code", "source_to_code")
    )


def edited(module: ModuleType, code: CodeType) -> list[str]:
    """The functions of a loaded module, by their qualified names, that its source does not say."""
    said: dict[str, set[Any]] = {}
    for part in _codes(code):
        said.setdefault(part.co_qualname, set()).add(_meaning(part))
    file = os.path.realpath(code.co_filename)
    found = {
        part.co_qualname: None
        for function in _functions_of(module)
        for part in [function.__code__]
        if os.path.realpath(part.co_filename) == file and _meaning(part) not in said.get(part.co_qualname, ())
    }
    return list(found)


def is_same(one: Any, other: Any, within: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two functions or classes of one name say the same, as before and after a reload that changed others.

    Only where that can be told: no closures, and attributes that are functions or plain values. Of a class its bases
    too: what it inherits may be what was changed.

    Parameters
    ----------
    within
        The pairs that are being compared, by their addresses: a class may have an attribute that leads back to it.
    """
    pair = (id(one), id(other))
    if one is other or pair in within:
        return True
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        plain = not (one.__closure__ or other.__closure__ or one.__defaults__ or one.__kwdefaults__)
        return plain and _meaning(one.__code__) == _meaning(other.__code__)
    if isinstance(one, type) and isinstance(other, type):
        mine, others = ({k: v for k, v in vars(cls).items() if k not in _OF_EVERY_CLASS} for cls in (one, other))
        bases = zip(one.__bases__, other.__bases__, strict=False)
        return (
            type(one) is type(other)
            and mine.keys() == others.keys()
            and len(one.__bases__) == len(other.__bases__)
            and all(is_same(base, its, within | {pair}) for base, its in bases)
            and all(is_same(value, others[name], within | {pair}) for name, value in mine.items())
        )
    return type(one) is type(other) and isinstance(one, _PLAIN) and one == other


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _meaning(code: CodeType) -> tuple[Any, ...]:
    """All that a code object does, without its place in the file: another comment above it changes nothing."""
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
    """The functions that were defined in a module, also in its classes and below decorators."""
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
