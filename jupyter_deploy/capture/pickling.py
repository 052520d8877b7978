"""Pickling of a live object by value, with project modules, named failures and a digest."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import IO, Any

import cloudpickle

from jupyter_deploy.domain.errors import NotCapturable
from jupyter_deploy.system.digests import HashingFile

from .frameworks import NativeWriter, frameworks
from .project_code import ProjectCode
from .reducers import reduced

# Attributes of every class that cannot be pickled.
_OF_EVERY_CLASS = frozenset({"__dict__", "__weakref__"})

# Globals that cloudpickle adds to a function and that differ between checkouts.
_PLACES = ("__file__", "__path__")

_SEARCH_DEPTH = 8
_SEARCH_LIMIT = 20_000


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler, which leaves parts with a native format to ``writers``.

    Frameworks may define how a part is pickled, too (``Framework.reducer``).

    ``code`` decides which project modules are pickled by value.
    """

    def __init__(self, file: IO[bytes] | io.RawIOBase, code: ProjectCode, writers: Sequence[NativeWriter] = ()) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._code = code
        self._writers = writers
        self._writer_of: dict[type, NativeWriter | None] = {}
        self._reducer_of: dict[type, Callable[[Any], tuple[Any, ...]] | None] = {}
        # The parts are kept, or a new object could get the address of a freed one.
        self._taken: dict[int, tuple[Any, tuple[Any, ...] | None]] = {}

    @property
    def taken_kinds(self) -> frozenset[type]:
        """Return the types of the parts that a writer took."""
        return frozenset(type(part) for part, reference in self._taken.values() if reference is not None)

    def persistent_id(self, part: Any) -> tuple[Any, ...] | None:
        """Return the reference of a part with a native format; called for every object."""
        kind = type(part)
        if kind not in self._writer_of:
            self._writer_of[kind] = next((writer for writer in self._writers if writer.takes(kind)), None)
        writer = self._writer_of[kind]
        if writer is None:
            return None
        if id(part) not in self._taken:
            reference = writer.take(part)
            self._taken[id(part)] = (part, None if reference is None else (writer.format, *reference))
        return self._taken[id(part)][1]

    def reducer_override(self, part: Any) -> Any:
        """Return the reduction of a part that is no plain value; NotImplemented: the default."""
        self._code.register(part)
        kind = type(part)
        if kind not in self._reducer_of:
            reducers = (framework.reducer(kind) for framework in frameworks())
            self._reducer_of[kind] = next((reducer for reducer in reducers if reducer is not None), None)
        reducer = self._reducer_of[kind]
        if reducer is not None:
            return reducer(part)
        reduction = reduced(part, self._code)
        if reduction is not NotImplemented:
            return reduction
        default = super().reducer_override(part)
        if default is not NotImplemented and isinstance(part, FunctionType | type):
            self._code.note_replaced(part)
        if default is not NotImplemented and isinstance(part, FunctionType):
            self._code.check_imports(part)
            for name in _PLACES:
                default[1][1].pop(name, None)
        return default


def write_pickle(value: Any, path: Path, *, name: str, code: ProjectCode, writers: Sequence[NativeWriter] = ()) -> str:
    """Pickle ``value`` into ``path``; the notebook's own objects are pickled by value.

    Parameters
    ----------
    code
        Decides how the project's modules are captured.
    writers
        Writers of parts in native formats; the caller calls their ``finish``.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    NotCapturable
        A part cannot leave the process; the message names its attribute path.
    """
    with code.pickling(), HashingFile(path) as file:
        pickler = Pickler(file, code, writers)
        try:
            pickler.dump(value)
        except (OSError, NotCapturable):
            raise  # a full disk is not a fault of the model
        except Exception as error:
            if "deep recursion" in str(error):  # cloudpickle's message for a RecursionError
                raise NotCapturable(
                    f"{name} is nested too deep to be captured: its parts refer to each other in a chain longer "
                    f"than Python's recursion limit ({sys.getrecursionlimit()})",
                    "keep the parts in a list or a dict instead of a chain of references",
                ) from error
            where, what = find_culprit(value, name, code, pickler.taken_kinds)
            raise NotCapturable(
                f"{where} is {what}, which cannot be captured ({type(error).__name__}: {error})",
                "create it inside the function that needs it, or remove it from the model's state (__getstate__)",
            ) from error
    return file.sha256


def find_culprit(value: Any, name: str, code: ProjectCode, taken: Collection[type] = ()) -> tuple[str, str]:
    """Return path and description of the innermost part of ``value`` that cannot be pickled.

    Parameters
    ----------
    taken
        Types of parts that are not pickled.
    """
    seen: set[int] = set()
    path, part = name, value
    for _ in range(_SEARCH_DEPTH):
        for step, child in parts(part):
            if id(child) in seen or len(seen) > _SEARCH_LIMIT:
                continue
            seen.add(id(child))
            if not _picklable(child, code, taken):
                path, part = path + step, child
                break
        else:
            break
    return path, f"a {type(part).__module__}.{type(part).__qualname__}".replace("a builtins.", "a ")


class _Nowhere(io.RawIOBase):
    """A file that discards its content."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes


class _Trial(Pickler):
    """A pickler that writes nothing and skips parts with a native format."""

    def __init__(self, code: ProjectCode, taken: Collection[type]) -> None:
        super().__init__(_Nowhere(), code)
        self._left_out = taken

    def persistent_id(self, part: Any) -> tuple[Any, ...] | None:
        return ("",) if type(part) in self._left_out else None


def _picklable(value: Any, code: ProjectCode, taken: Collection[type]) -> bool:
    try:
        _Trial(code, taken).dump(value)
    except Exception:  # noqa: BLE001 - any failure means that the value cannot be pickled
        return False
    return True


PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray)
"""Types whose values have no parts."""


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object's parts with the steps that lead to them, without running its code."""
    match value:
        case dict():
            yield from ((f"[{key!r}]", child) for key, child in value.items())
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{index}]", child) for index, child in enumerate(value))
        case FunctionType():
            yield from _parts_of_function(value)
        case type():
            yield from ((f".{key}", child) for key, child in vars(value).items() if key not in _OF_EVERY_CLASS)
        case MethodType():
            yield ".__self__", value.__self__
            yield "", value.__func__
        case classmethod() | staticmethod():
            yield "", value.__func__
        case ModuleType():
            return
        case _:
            yield from _parts_of_object(value)


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    names = names_of(function.__code__)
    yield from ((f" → global '{n}'", function.__globals__[n]) for n in names if n in function.__globals__)
    yield from ((f" → default {index}", child) for index, child in enumerate(function.__defaults__ or ()))
    yield from ((f" → default '{key}'", child) for key, child in (function.__kwdefaults__ or {}).items())
    yield from ((f".{key}", child) for key, child in vars(function).items())
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f" → closure '{variable}'", cell.cell_contents
        except ValueError:
            continue


def _parts_of_object(value: Any) -> Iterator[tuple[str, Any]]:
    hidden = {partial: ("func", "args", "keywords"), property: ("fget", "fset")}  # stored by C code
    yield from ((f".{key}", getattr(value, key)) for key in hidden.get(type(value), ()))
    yield from ((f".{key}", child) for key, child in getattr(value, "__dict__", {}).items())
    for descriptor, key in _slots(type(value)):
        with suppress(AttributeError):  # not set yet
            yield f".{key}", descriptor.__get__(value)
    yield "'s class", type(value)


def names_of(code: CodeType) -> list[str]:
    """Return the global names in a function's code and in its inner functions."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return list(dict.fromkeys([*code.co_names, *(name for inner_code in inner for name in names_of(inner_code))]))


def _slots(kind: type) -> list[tuple[MemberDescriptorType, str]]:
    return [(v, k) for base in kind.__mro__ for k, v in vars(base).items() if isinstance(v, MemberDescriptorType)]
