"""A project's folder: its notebooks, its requirements, and new files."""

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
from .monitoring_drafts import monitoring_drafts

_SKIPPED = {"node_modules", "site-packages", "venv", "env", "build", "dist"}
_MOST = 500
"""The number of notebooks that are read."""


class ProjectStarter:
    """The Starter port."""

    @property
    def example(self) -> Trained:
        """Return the example model, for a project without one."""
        return TRAINED

    def top(self, folder: Path) -> tuple[Path, bool]:
        """Return the repository's top, where hooks and workflows belong; else the folder itself."""
        output = run_git(folder, "rev-parse", "--show-toplevel")
        return (Path(os.fsdecode(output).rstrip("\n")), True) if output else (folder.resolve(), False)

    def notebooks(self, top: Path) -> list[ProjectNotebook]:
        """Return the notebooks that git does not ignore, or outside of a repository all but hidden ones, by path."""
        return [notebook for path in sorted(_paths(top))[:_MOST] if (notebook := _read(top, path)) is not None]

    def deployed(self, notebook: ProjectNotebook) -> list[Trained]:
        """Return the models that the cells deploy under a name."""
        return deploys_in(notebook.path, notebook.cells)

    def fitted(self, notebook: ProjectNotebook, variable: str | None = None) -> tuple[str, str] | None:
        """Return the last fitted variable, or the named one, and an example of its training data."""
        return fitted_in(notebook.cells, variable)

    def drafts(self, start: Starting) -> list[Draft]:
        """Draft the set-up's files as new ones."""
        top = Path(start.top)
        imported = [notebook.cells for notebook in self.notebooks(top) if notebook.path in start.notebooks]
        return drafts(start, _branch(top), _python(top), _requirements(top, imported), _origin())

    def monitoring(self, address: str) -> list[Draft]:
        """Draft the files of Prometheus, Alertmanager and Grafana as new ones."""
        return monitoring_drafts(address)

    def existing(self, top: Path, path: str) -> str | None:
        """Return the text of a file (empty if it is not text); None: it does not exist."""
        target = top / path
        if not target.exists() and not target.is_symlink():
            return None
        try:
            return target.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, top: Path, path: str, text: str) -> bool:
        """Write a new file with its folders; False: another process created the file meanwhile, which stays."""
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            part.write_text(text, "utf-8")
            os.link(part, target)  # atomic, and never over another file
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links, such as a mounted drive's
            if target.exists():
                return False
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return True


def _paths(top: Path) -> Iterator[str]:
    output = run_git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.ipynb")
    if output is not None:
        yield from (name for name in os.fsdecode(output).split("\0") if name and ".ipynb_checkpoints" not in name)
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
        return None  # not a notebook, or of another format
    return ProjectNotebook(path, sources, tagged[0] if tagged else None, bool(gates))


def _branch(top: Path) -> str:
    """Return the default branch: the remote's, else the one that is checked out."""
    for arguments in (("symbolic-ref", "--short", "refs/remotes/origin/HEAD"), ("symbolic-ref", "--short", "HEAD")):
        output = (run_git(top, *arguments) or b"").decode("utf-8", "replace").strip().removeprefix("origin/")
        if re.fullmatch(r"[\w./-]+", output):
            return output
    return "main"


def _origin() -> dict[str, Any] | None:
    """Return the origin of nbdeploy's installation, unless it is a package index."""
    direct_url = metadata.distribution("nbdeploy").read_text("direct_url.json")
    return dict(json.loads(direct_url)) if direct_url else None


def _python(top: Path) -> tuple[str, str]:
    """Return the argument for setup-python: the project's own file, else the running version."""
    if (top / ".python-version").is_file():
        return "python-version-file", ".python-version"
    return "python-version", f"{sys.version_info.major}.{sys.version_info.minor}"


def _requirements(top: Path, cells: Sequence[Sequence[str]]) -> Requirements:
    """Return the project's requirements; else its notebooks' imports with the installed versions."""
    pyproject = top / "pyproject.toml"
    try:
        settings: dict[str, Any] = tomllib.loads(pyproject.read_text("utf-8")) if pyproject.is_file() else {}
    except (OSError, ValueError):
        settings = {}
    if (top / "uv.lock").is_file():
        return Requirements("uv.lock", package="build-system" in settings)
    if (top / "requirements.txt").is_file():
        return Requirements("requirements.txt")
    if "project" in settings:
        return Requirements("pyproject.toml", package=True)
    return Requirements(None, imported=_imported(top, [cell for notebook in cells for cell in notebook]))


def _imported(top: Path, cells: Sequence[str]) -> tuple[str, ...]:
    """Return ``scikit-learn>=1.9,<2`` for each distribution that cells import."""
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
