"""A project's folder as ``init`` finds it, and new files in it."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.validation.scaffold import Trained
from jupyter_deploy.domain.validation.scaffold_ports import Draft, ProjectNotebook, Starting
from jupyter_deploy.notebooks.reader import is_executed
from jupyter_deploy.notebooks.syntax import statements_of
from jupyter_deploy.system.git import run_git

from .deploys import deploys_in, fitted_in
from .drafts import Requirements, drafts
from .examples import TRAINED

_SKIPPED = {"node_modules", "site-packages", "venv", "env", "build", "dist"}
_MOST = 500
"""Notebooks that are looked at."""


class ProjectStarter:
    """The Starter port."""

    @property
    def example(self) -> Trained:
        """A model of its own, for a project that trains none yet."""
        return TRAINED

    def top(self, folder: Path) -> tuple[Path, bool]:
        """The repository's top, where hooks and workflows are looked for; else the folder itself."""
        said = run_git(folder, "rev-parse", "--show-toplevel")
        return (Path(os.fsdecode(said).rstrip("\n")), True) if said else (folder.resolve(), False)

    def notebooks(self, top: Path) -> list[ProjectNotebook]:
        """Those that git does not ignore, or outside of a repository all but those in hidden folders, by path."""
        return [found for path in sorted(_paths(top))[:_MOST] if (found := _read(top, path)) is not None]

    def deployed(self, notebook: ProjectNotebook) -> list[Trained]:
        """The models that its cells deploy under a name."""
        return deploys_in(notebook.path, notebook.cells)

    def fitted(self, notebook: ProjectNotebook, variable: str | None = None) -> tuple[str, str] | None:
        """The variable that is fitted last, or the named one, and an example of what it is fitted on."""
        return fitted_in(notebook.cells, variable)

    def drafts(self, start: Starting) -> list[Draft]:
        """The set-up's files, as they would be new."""
        top = Path(start.top)
        imported = [notebook.cells for notebook in self.notebooks(top) if notebook.path in start.notebooks]
        return drafts(start, _branch(top), _python(top), _requirements(top, imported), _origin())

    def existing(self, top: Path, path: str) -> str | None:
        """The text of a file that is there (also of what is no text); None: nothing is."""
        place = top / path
        if not place.exists() and not place.is_symlink():
            return None
        try:
            return place.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, top: Path, path: str, text: str) -> bool:
        """Write a new file with its folders; False: somebody else just made one, which stays."""
        place = top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            part.write_text(text, "utf-8")
            os.link(part, place)  # whole, and never over another one
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links, such as a mounted drive's
            if place.exists():
                return False
            part.rename(place)
        finally:
            part.unlink(missing_ok=True)
        return True


def _paths(top: Path) -> Iterator[str]:
    said = run_git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.ipynb")
    if said is not None:
        yield from (name for name in os.fsdecode(said).split("\0") if name and ".ipynb_checkpoints" not in name)
        return
    for folder, inner, files in os.walk(top):
        inner[:] = [one for one in inner if not one.startswith(".") and one not in _SKIPPED]
        yield from ((Path(folder) / name).relative_to(top).as_posix() for name in files if name.endswith(".ipynb"))


def _read(top: Path, path: str) -> ProjectNotebook | None:
    try:
        document = json.loads((top / path).read_text("utf-8"))
        if is_executed(document):
            return None
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        sources = tuple("".join(cell["source"]) for cell in cells)
        tagged = [s for s, c in zip(sources, cells, strict=True) if "parameters" in c["metadata"].get("tags", [])]
        gates = document["metadata"].get("nbdeploy", {}).get("gates", [])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # no notebook, or one of another format
    return ProjectNotebook(path, sources, tagged[0] if tagged else None, bool(gates))


def _branch(top: Path) -> str:
    """The branch that others start from: the remote's, else the one that is checked out."""
    for question in (("symbolic-ref", "--short", "refs/remotes/origin/HEAD"), ("symbolic-ref", "--short", "HEAD")):
        said = (run_git(top, *question) or b"").decode("utf-8", "replace").strip().removeprefix("origin/")
        if re.fullmatch(r"[\w./-]+", said):
            return said
    return "main"


def _origin() -> dict[str, Any] | None:
    """Where nbdeploy was installed from, where that was no package index."""
    said = metadata.distribution("nbdeploy").read_text("direct_url.json")
    return dict(json.loads(said)) if said else None


def _python(top: Path) -> tuple[str, str]:
    """What setup-python is told: the project's own file, else the version that runs now."""
    if (top / ".python-version").is_file():
        return "python-version-file", ".python-version"
    return "python-version", f"{sys.version_info.major}.{sys.version_info.minor}"


def _requirements(top: Path, cells: Sequence[Sequence[str]]) -> Requirements:
    """What the project says that it needs; else what its notebooks import, as it is installed here."""
    pyproject = top / "pyproject.toml"
    try:
        about: dict[str, Any] = tomllib.loads(pyproject.read_text("utf-8")) if pyproject.is_file() else {}
    except (OSError, ValueError):
        about = {}
    if (top / "uv.lock").is_file():
        return Requirements("uv.lock", package="build-system" in about)
    if (top / "requirements.txt").is_file():
        return Requirements("requirements.txt")
    if "project" in about:
        return Requirements("pyproject.toml", package=True)
    return Requirements(None, imported=_imported(top, [cell for notebook in cells for cell in notebook]))


def _imported(top: Path, cells: Sequence[str]) -> tuple[str, ...]:
    """``scikit-learn>=1.9,<2`` for each distribution that cells import."""
    modules = set()
    for statement in statements_of(cells):
        for node in ast.walk(statement.tree):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
            elif isinstance(node, ast.keyword) and node.arg == "as_frame":
                modules.add("pandas")  # scikit-learn imports it for that
    installed = metadata.packages_distributions()
    own = {path.stem for path in top.glob("*.py")} | {path.name for path in top.iterdir() if path.is_dir()}
    names = {name for one in modules - own - {"jupyter_deploy"} for name in installed.get(one, ())[:1]}
    return tuple(_ranged(name) for name in sorted(names, key=str.lower))


def _ranged(name: str) -> str:
    version = metadata.version(name)
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return f"{name}>={major}.{minor},<{int(major) + 1}" if major.isdigit() and minor.isdigit() else name
