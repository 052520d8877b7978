"""Reader of notebooks from any location that Papermill supports, and of their kernels."""

from __future__ import annotations

import difflib
import json
import re
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource

from .markdown import is_markdown, notebook_of

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")

INJECTED = "injected-parameters"
"""The tag of the cell that Papermill inserts below the parameters."""


def is_remote(path: str) -> bool:
    """Whether a notebook's path is a URL."""
    return _REMOTE.match(path) is not None


def is_executed(document: Any) -> bool:
    """Whether a notebook's JSON is the output of a Papermill run; raises KeyError or TypeError for invalid JSON."""
    papermill = document["metadata"].get("papermill") or {}
    return "output_path" in papermill or any(INJECTED in cell["metadata"].get("tags", ()) for cell in document["cells"])


def read_notebook(path: str) -> Any:
    """Read a notebook: a file, or a URL that a Papermill handler reads (``https://``, ``s3://``, …).

    R Markdown and Quarto documents (``.Rmd``, ``.qmd``) are read as notebooks of their chunks.

    Raises
    ------
    UnknownSource
        The notebook does not exist, or is no notebook of format 4.
    InvalidInput
        The path is ``-``: a release reads the notebook repeatedly, which standard input does not allow.
    """
    if path == "-":
        raise InvalidInput(
            "standard input ('-') is not supported", "write the notebook to a file and name that; './-' names a file"
        )
    import nbformat  # half a second that only headless runs need

    text = _fetch(path) if is_remote(path) else _read_file(path)
    if is_markdown(path):
        text = json.dumps(notebook_of(text, path))
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UnknownSource(f"{path} is not a notebook: it is not JSON ({error})", _NAME_ONE) from None
    if not isinstance(content, dict) or not isinstance(version := content.get("nbformat"), int):
        raise UnknownSource(f"{path} is not a notebook: it is JSON without 'nbformat'", _NAME_ONE)
    if version < 4:
        raise UnknownSource(
            f"{path} is a notebook of format {version}, which Jupyter wrote until 2015",
            f"open and save it in JupyterLab, or convert it: jupyter nbconvert --to notebook --inplace {path}",
        )
    if version > 4:
        raise UnknownSource(
            f"{path} is a notebook of format {version}, too new for this nbdeploy", "save it in format 4"
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # about missing cell ids, which are added
            document = nbformat.reads(text, as_version=4)
            for cell in document.cells:
                cell.source, cell.metadata  # noqa: B018 - required below
    except Exception as error:  # nbformat raises any error of its schema and conversion
        raise UnknownSource(f"{path} is not a notebook: {error}", _NAME_ONE) from error
    return document


_NAME_ONE = "name a Jupyter notebook (.ipynb), or a document with chunks (.qmd, .Rmd)"


def _read_file(path: str) -> str:
    file = Path(path)
    if file.is_dir():
        raise UnknownSource(f"{path} is a directory", "name a notebook in it")
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise UnknownSource(f"there is no notebook {path}", "name an .ipynb file that exists") from None
    except UnicodeDecodeError:
        raise UnknownSource(f"{path} is not a notebook: it is not text", _NAME_ONE) from None
    except OSError as error:
        raise UnknownSource(f"cannot read {path}: {error.strerror}", "name a readable notebook") from error


def _fetch(address: str) -> str:
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler(address)
    try:
        text = handler.read(address)
    except Exception as error:  # any error of a handler's library
        raise UnknownSource(f"cannot read {shown(address)}: {error}", "check that it is reachable") from error
    return text.decode("utf-8", errors="replace") if isinstance(text, bytes) else str(text)


def shown(path: str) -> str:
    """Return a path for display; a URL without user, password and query, which may hold tokens."""
    if not is_remote(path):
        return path
    scheme, _, rest = path.partition("://")
    host, slash, url_path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{url_path}"


def tags_of(cell: Any) -> list[str]:
    """Return the tags of a cell."""
    tags = cell.metadata.get("tags", [])
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def code_cells(document: Any) -> list[Any]:
    """Return the author's code cells, without those that Papermill inserted."""
    return [cell for cell in document.cells if cell.cell_type == "code" and INJECTED not in tags_of(cell)]


def number_of(document: Any, index: int) -> int:
    """Return the number of the code cell, from 1, at an index; an inserted cell counts as the one above it."""
    before = document.cells[: index + 1]
    return max(1, sum(1 for cell in before if cell.cell_type == "code" and INJECTED not in tags_of(cell)))


def kernel_of(document: Any, name: str, chosen: str | None = None) -> tuple[str, str]:
    """Return the chosen kernel, or the one that a notebook names, and its language.

    A notebook without a kernel uses Python's.

    Raises
    ------
    UnknownSource
        The kernel, or the program that starts it, does not exist here.
    InvalidInput
        The chosen kernel's language differs from the notebook's.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager()
    kernelspec = document.metadata.get("kernelspec") or {}
    kernel = chosen or str(kernelspec.get("name") or "python3")
    installed = sorted(specs.find_kernel_specs())
    if kernel not in installed:
        problem = (
            f"there is no kernel '{kernel}'" if chosen else f"{name} needs the kernel '{kernel}', which is missing"
        )
        raise UnknownSource(
            problem,
            f"{did_you_mean(kernel, installed)}the installed kernels are: {', '.join(installed) or 'none'}"
            + ("" if chosen else "; choose another in JupyterLab and save the notebook"),
        )
    spec = specs.get_kernel_spec(kernel)
    language = str(spec.language)
    program = str(spec.argv[0])
    if language.lower() != "python" and shutil.which(program) is None:  # jupyter_client has its own Python
        raise UnknownSource(
            f"{name} needs the kernel '{kernel}', and there is no program '{program}', which starts it",
            f"install {language}, or put the folder of its program on the search path (PATH)",
        )
    notebook_language = str(
        (document.metadata.get("language_info") or {}).get("name") or kernelspec.get("language") or ""
    ).lower()
    if not notebook_language and kernelspec.get("name") in installed:
        notebook_language = str(specs.get_kernel_spec(kernelspec["name"]).language).lower()
    if notebook_language and notebook_language != language.lower():
        raise InvalidInput(
            f"{name} is written in {notebook_language}, but the language of the kernel '{kernel}' is {language}",
            f"the installed kernels are: {', '.join(installed)}",
        )
    return kernel, language


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean A or B? `` or an empty text."""
    near = difflib.get_close_matches(name, list(known))
    return f"did you mean {' or '.join(near)}? " if near else ""


def plain(lines: Iterable[str]) -> str:
    """Return a traceback without colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(lines))
