"""The files of validation notebooks: folders, YAML parameters, and changes since a git revision."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import yaml

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.environments.module_origins import is_local, locate
from jupyter_deploy.environments.module_sources import compiled, imports_in
from jupyter_deploy.notebooks.reader import is_executed
from jupyter_deploy.notebooks.syntax.statements import statements_of
from jupyter_deploy.system.git import run_git

SETTINGS_FILE = "nbdeploy.yaml"
_SKIPPED = ("node_modules", "__pycache__", "venv", "site-packages")


class _Loader(yaml.SafeLoader):
    """A YAML loader without dates, as in Papermill: ``2026-11-25`` stays a text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class FolderProject:
    """The Project port."""

    def notebooks(self, place: str, leave_out: Sequence[Path] = ()) -> list[str]:
        folder = Path(place)
        if not folder.is_dir():
            return [place]
        paths = [
            path
            for path in _notebooks_below(folder)
            if not any(path.resolve().is_relative_to(one) for one in leave_out)
        ]
        validating = [str(path) for path in paths if _validates(path)]
        if not validating:
            raise UnknownSource(
                f"of the {len(paths)} notebooks in {place} none validates anything"
                if paths
                else f"{place} is a folder without a notebook",
                "give a cell the tag 'parameters', or the notebook gates in its metadata; or name it",
            )
        return validating

    def validates(self, path: Path) -> bool:
        return _validates(path)

    def parameters(self, file: str) -> dict[str, Any]:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = _WHY.get(type(error)) or getattr(error, "strerror", None) or str(error)
            raise InvalidInput(f"cannot read the parameters in {file}: {why}", "name a YAML file") from error
        return self._mapping(text, file)

    def parsed(self, text: str) -> dict[str, Any]:
        return self._mapping(text, f"'{text}'")

    def changed_since(self, revision: str, notebooks: Sequence[Notebook]) -> set[Path]:
        settings = Path(SETTINGS_FILE).resolve()
        by_repository: dict[Path, frozenset[Path]] = {}
        changed = set()
        for notebook in notebooks:
            root = _repository(notebook.path.parent)
            if root not in by_repository:
                by_repository[root] = _changed(root, revision)
            files = by_repository[root]
            if files & {notebook.path.resolve(), settings} or not files.isdisjoint(_modules_of(notebook)):
                changed.add(notebook.path)
        return changed

    def _mapping(self, text: str, where: str) -> dict[str, Any]:
        try:
            document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with less
        except yaml.YAMLError as error:
            raise InvalidInput(
                f"{where} is not YAML{_yaml_position(error)}", 'write, for example, "rows: 200"'
            ) from error
        if not isinstance(document or {}, dict):
            raise InvalidInput(f"{where} holds no parameters", 'write, for example, "rows: 200"')
        return {str(name): value for name, value in (document or {}).items()}


_WHY = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder",
    PermissionError: "it may not be read",
    UnicodeDecodeError: "it is not UTF-8 text",
}


def _yaml_position(error: yaml.YAMLError) -> str:
    """Return the position and reason of a YAML error."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ""
    mark = error.problem_mark
    problem = str(error.problem).replace("expected the node content", "a value should stand here")
    problem = problem.replace("'<stream end>'", "its end")
    return f": line {mark.line + 1}, character {mark.column + 1}: {problem}"


def _notebooks_below(folder: Path) -> Iterator[Path]:
    """Yield the notebooks in a folder and below, without hidden ones and checkpoints."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _SKIPPED:
            continue
        if path.is_dir():
            yield from _notebooks_below(path)
        elif path.suffix == ".ipynb":
            yield path


def _validates(path: Path) -> bool:
    """Return whether a notebook has a parameters cell or gates, and is not an executed copy.

    True for an unreadable file: its run reports the error.
    """
    try:
        document = json.loads(path.read_bytes())
        settings = document["metadata"].get("nbdeploy", {})
        cells = document["cells"]
        if is_executed(document):
            return False
        return "gates" in settings or any("parameters" in cell["metadata"].get("tags", ()) for cell in cells)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _repository(folder: Path) -> Path:
    root = run_git(folder, "rev-parse", "--show-toplevel")
    if root is None:
        raise InvalidInput(f"{folder} is in no git repository", "leave out --changed-since, or run it in a repository")
    return Path(root.decode().rstrip("\n"))


def _changed(root: Path, revision: str) -> frozenset[Path]:
    """Return the files of the working tree that differ from the revision, including untracked ones."""
    # With --verify git does not parse the revision as an option.
    commit = run_git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise InvalidInput(
            f"git knows no revision '{revision}' in {root}", "name a branch, a tag or a commit; is it fetched?"
        )
    differing = run_git(root, "diff", "--name-only", "--no-renames", "-z", commit.decode().strip(), "--")
    new = run_git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if differing is None or new is None:
        raise InvalidInput(f"git cannot tell what changed since '{revision}' in {root}", "does 'git diff' work there?")
    names = (name.decode("utf-8", "surrogateescape") for name in (differing + new).split(b"\0") if name)
    return frozenset((root / name).resolve() for name in names)


def _modules_of(notebook: Notebook) -> set[Path]:
    """Return the files of the project's own modules that a notebook imports, also indirectly."""
    if notebook.language.lower() != "python":
        return set()
    names = [name for cell in _cells(notebook) for name in _imported(cell)]
    folder, files, seen = notebook.path.parent, set(), set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        spec = _spec(name, folder)
        if spec is None:
            # The module may have existed at the revision.
            missing = folder.joinpath(*name.split("."))
            files |= {missing.with_suffix(".py").resolve(), (missing / "__init__.py").resolve()}
            continue
        if not spec.origin or not spec.has_location or not is_local(file := Path(spec.origin).absolute()):
            continue
        files.add(file.resolve())
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        try:
            code = compiled(file)
        except (OSError, SyntaxError, ValueError):
            continue
        names += imports_in(code, package or None) if code else ()
    return files


def _spec(name: str, folder: Path) -> ModuleSpec | None:
    """Find a module as a kernel in this folder would, without importing it."""
    first, *below = name.split(".")
    path: Iterable[str] = [str(folder), *sys.path[1:]]
    spec = PathFinder.find_spec(first, list(path))
    if spec is None:  # an editable install has a finder of its own
        origin = locate(first)
        if origin is None or origin.file is None:
            return None
        spec = ModuleSpec(first, None, origin=str(origin.file), is_package=bool(origin.folders))
        spec.has_location = True
        spec.submodule_search_locations = [str(one) for one in origin.folders] or None
    for count in range(len(below)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([first, *below[: count + 1]]), list(spec.submodule_search_locations))
    return spec


def _cells(notebook: Notebook) -> list[str]:
    try:
        document = json.loads(notebook.path.read_bytes())
        return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return [notebook.source]


def _imported(cell: str) -> Iterator[str]:

    body = [statement.tree for statement in statements_of([cell])]
    if body:
        yield from imports_in(compile(ast.unparse(ast.Module(body, [])), "cell", "exec", dont_inherit=True), None)
