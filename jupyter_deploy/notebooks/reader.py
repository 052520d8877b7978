"""Notebooks as they are read before anything runs, from wherever Papermill reads them, and the kernels there are."""

from __future__ import annotations

import difflib
import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")

INJECTED = "injected-parameters"
"""The tag of the cell that Papermill puts below the one with the parameters."""


def is_remote(path: str) -> bool:
    """Whether a notebook's path is an address."""
    return _REMOTE.match(path) is not None


def is_executed(document: Any) -> bool:
    """Whether a notebook's JSON is what came of a run by Papermill, here or elsewhere; raises what wrong JSON does."""
    told = document["metadata"].get("papermill") or {}
    return "output_path" in told or any(INJECTED in cell["metadata"].get("tags", ()) for cell in document["cells"])


def read_notebook(path: str) -> Any:
    """The document of a notebook: a file, or what a handler of Papermill's reads (``https://``, ``s3://``, …).

    Raises
    ------
    UnknownSource
        It is not there, or no notebook of format 4.
    InvalidInput
        It is ``-``: what is asked of a release again and again cannot be read once from standard input.
    """
    if path == "-":
        raise InvalidInput(
            "'-', standard input, is not read", "write the notebook to a file and name that; './-' is one"
        )
    import nbformat  # half a second that only headless runs need

    text = _fetched(path) if is_remote(path) else _opened(path)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UnknownSource(f"{path} is not a notebook: it is not JSON ({error})", _NAME_ONE) from None
    if not isinstance(found, dict) or not isinstance(version := found.get("nbformat"), int):
        raise UnknownSource(f"{path} is not a notebook: it is JSON without 'nbformat'", _NAME_ONE)
    if version < 4:
        raise UnknownSource(
            f"{path} is a notebook of format {version}, which Jupyter wrote until 2015",
            f"open and save it in JupyterLab, or convert it: jupyter nbconvert --to notebook --inplace {path}",
        )
    if version > 4:
        raise UnknownSource(f"{path} is a notebook of format {version}, newer than what is known here", "save it as 4")
    try:
        with warnings.catch_warnings(action="ignore"):  # of missing cell ids, which are made
            document = nbformat.reads(text, as_version=4)
            for cell in document.cells:
                cell.source, cell.metadata  # noqa: B018 - what all that follows relies on
    except Exception as error:  # nbformat raises whatever its schema and conversion steps do
        raise UnknownSource(f"{path} is not a notebook: {error}", _NAME_ONE) from error
    return document


_NAME_ONE = "name a Jupyter notebook (.ipynb)"


def _opened(path: str) -> str:
    place = Path(path)
    if place.is_dir():
        raise UnknownSource(f"{path} is a directory", "name a notebook in it")
    try:
        return place.read_text("utf-8")
    except FileNotFoundError:
        raise UnknownSource(f"there is no notebook {path}", "name an .ipynb file that exists") from None
    except UnicodeDecodeError:
        raise UnknownSource(f"{path} is not a notebook: it is not text", _NAME_ONE) from None
    except OSError as error:
        raise UnknownSource(f"cannot read {path}: {error.strerror}", "name a notebook that you may read") from error


def _fetched(address: str) -> str:
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler(address)
    try:
        text = handler.read(address)
    except Exception as error:  # whatever a handler's library raises
        raise UnknownSource(f"cannot read {shown(address)}: {error}", "can it be reached from here?") from error
    return text.decode("utf-8", errors="replace") if isinstance(text, bytes) else str(text)


def shown(path: str) -> str:
    """A path as it is told and kept: of an address without user, password and query, where tokens stand."""
    if not is_remote(path):
        return path
    scheme, _, rest = path.partition("://")
    host, slash, place = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{place}"


def tags_of(cell: Any) -> list[str]:
    """The tags of a cell."""
    tags = cell.metadata.get("tags", [])
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def code_cells(document: Any) -> list[Any]:
    """The cells of code as their author counts them: without those that Papermill put in."""
    return [cell for cell in document.cells if cell.cell_type == "code" and INJECTED not in tags_of(cell)]


def number_of(document: Any, index: int) -> int:
    """Which cell of code, from 1, stands at an index of the document; Papermill's own counts as the one above it."""
    before = document.cells[: index + 1]
    return max(1, sum(1 for cell in before if cell.cell_type == "code" and INJECTED not in tags_of(cell)))


def kernel_of(document: Any, name: str, chosen: str | None = None) -> tuple[str, str]:
    """The kernel that a notebook names, or the chosen one in its place, and its language as that spells it.

    A notebook that names none is Python's.

    Raises
    ------
    UnknownSource
        There is no such kernel here.
    InvalidInput
        The chosen one speaks another language than the notebook.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager()
    told = document.metadata.get("kernelspec") or {}
    kernel = chosen or str(told.get("name") or "python3")
    known = sorted(specs.find_kernel_specs())
    if kernel not in known:
        who = f"there is no kernel '{kernel}'" if chosen else f"{name} wants the kernel '{kernel}', which is not here"
        raise UnknownSource(
            who,
            f"{did_you_mean(kernel, known)}the kernels here are: {', '.join(known) or 'none'}"
            + ("" if chosen else "; choose another in JupyterLab and save the notebook"),
        )
    language = str(specs.get_kernel_spec(kernel).language)
    own = str((document.metadata.get("language_info") or {}).get("name") or told.get("language") or "").lower()
    if not own and told.get("name") in known:
        own = str(specs.get_kernel_spec(told["name"]).language).lower()
    if own and own != language.lower():
        raise InvalidInput(
            f"{name} is written in {own}, and the kernel '{kernel}' speaks {language}",
            f"the kernels here are: {', '.join(known)}",
        )
    return kernel, language


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean A or B? ``, or nothing."""
    near = difflib.get_close_matches(name, list(known))
    return f"did you mean {' or '.join(near)}? " if near else ""


def plain(lines: Iterable[str]) -> str:
    """A traceback without colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(lines))
