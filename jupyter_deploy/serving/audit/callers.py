"""The caller of an audit event: the function and line of the model's own code on the stack."""

from __future__ import annotations

import glob
import os
import pathlib
import re
import shutil
import site
import sysconfig
from pathlib import Path
from types import FrameType
from typing import NamedTuple

_HERE = str(Path(__file__).parents[1])
_WRAPPERS = frozenset(str(Path(_HERE, name)) for name in ("imports.py", "audit/redirect.py"))
# A search for plugins lists each folder of sys.path; that is an import too, and no data.
_IMPORTING = ("<frozen importlib", str(Path(sysconfig.get_paths()["stdlib"], "importlib", "metadata")))
# Modules that list a folder on behalf of their caller.
_PASS_THROUGH = frozenset({*_WRAPPERS, "<frozen os>", os.__file__, glob.__file__, pathlib.__file__, shutil.__file__})
_CELL = re.compile(r".*ipykernel_\d+/\d+\.py")


def _libraries() -> tuple[str, ...]:
    paths = [sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    known = [*paths, *site.getsitepackages(), site.getusersitepackages()]
    return tuple(f"{path}{os.sep}" for path in {*known, *map(os.path.realpath, known)})


LIBRARIES = _libraries()
"""The folders of the standard library and the installed distributions, each with a separator at its end."""


class Caller(NamedTuple):
    """The code that caused an audit event.

    Attributes
    ----------
    place
        ``predict(), line 3,`` for code captured by value or from a cell, where the file name means nothing and lines
        count from the function or cell; else ``predict(), line 3 of rules.py,``. None: only this package is on the
        stack.
    importing
        An import is in progress, or a search of the installed distributions.
    library
        An import is in progress that a library does, not the model's own code.
    by_library
        A library caused the event, on behalf of any caller.
    """

    place: str | None
    importing: bool
    library: bool
    by_library: bool = False


def find_caller(innermost: FrameType) -> Caller:
    """Find the innermost function of the model's own code on the stack, else the outermost function that it called."""
    last: FrameType | None = None
    own: FrameType | None = None
    importing = library = False
    frame: FrameType | None = innermost
    while frame is not None:
        file = frame.f_code.co_filename
        is_wrapper = file in _WRAPPERS
        if file.startswith(_HERE) and not is_wrapper:
            break
        if file.startswith(_IMPORTING):
            importing, library = True, library or own is None
        # In a notebook open() is IPython's own, and a captured function keeps it.
        wrapped = is_wrapper or frame.f_code.co_name == "_modified_open"
        if own is None and not wrapped and not file.startswith((*LIBRARIES, "<frozen ")):
            own = frame
        last, frame = last if is_wrapper else frame, frame.f_back
    by_library = _is_library(innermost)
    frame_shown = own or last
    if frame_shown is None:
        return Caller(None, importing, library, by_library)
    file = frame_shown.f_code.co_filename
    place = "" if file.startswith("<") or _CELL.fullmatch(file) else f" of {Path(file).name}"
    return Caller(
        f"{frame_shown.f_code.co_qualname}(), line {frame_shown.f_lineno}{place},", importing, library, by_library
    )


def _is_library(innermost: FrameType) -> bool:
    frame: FrameType | None = innermost
    while frame is not None and frame.f_code.co_filename in _PASS_THROUGH:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith((*LIBRARIES, "<frozen "))
