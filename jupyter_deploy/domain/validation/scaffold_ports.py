"""The ports of ``init``; see ``domain.ports``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from .scaffold import Trained


@dataclass(frozen=True)
class ProjectNotebook:
    """A notebook as ``init`` reads it: its path in the project, its code, and its ``parameters`` cell."""

    path: str
    cells: tuple[str, ...]
    parameters: str | None
    gates: bool = False

    @property
    def validates(self) -> bool:
        """Whether it looks like a validation notebook."""
        source = "\n".join(self.cells)
        return (self.gates or self.parameters is not None) and "jupyter_deploy" in source and "model(" in source


@dataclass(frozen=True)
class Starting:
    """The models and validation notebooks that a set-up is written for.

    Attributes
    ----------
    trained
        The models. The starter's own example among them is written too.
    validating
        The path of each existing validation notebook, with its endpoint (None: it names none).
    regression
        By the endpoint's name, whether its model is a regression, if that is known.
    cells
        The code of each training notebook.
    """

    top: str
    trained: Sequence[Trained]
    validating: Mapping[str, str | None] = field(default_factory=dict)
    regression: Mapping[str, bool] = field(default_factory=dict)
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def validated(self) -> dict[str, dict[str, bool]]:
        """The validation notebooks of each endpoint, and whether each exists; of ``''`` those without an endpoint."""
        notebooks: dict[str, dict[str, bool]] = {one.name: {} for one in self.trained}
        for path, name in self.validating.items():
            notebooks.setdefault(name or "", {})[path] = True
        for one in self.trained:
            new = (PurePosixPath(one.notebook).parent / f"validate_{one.name}.ipynb").as_posix()
            notebooks[one.name] = notebooks[one.name] or {new: False}
        return notebooks

    @property
    def notebooks(self) -> set[str]:
        return {*(one.notebook for one in self.trained), *self.validating}


@dataclass(frozen=True)
class Draft:
    """A file that would be written.

    ``add``: the addition to an existing file without ``mark`` in it; ``note``: the step that remains for the user.
    """

    path: str
    text: str
    add: str = ""
    mark: str = ""
    note: str = ""


class Starter(Protocol):
    @property
    def example(self) -> Trained:
        """The example model, for a project without one."""

    def top(self, folder: Path) -> tuple[Path, bool]:
        """Return the folder of workflows and hooks, the top of the git repository, and whether there is one."""

    def notebooks(self, top: Path) -> list[ProjectNotebook]:
        """List the project's valid notebooks, by path."""

    def deployed(self, notebook: ProjectNotebook) -> list[Trained]:
        """Return the models that its cells deploy under a name, by static analysis."""

    def fitted(self, notebook: ProjectNotebook, variable: str | None = None) -> tuple[str, str] | None:
        """Return the variable that is fitted last (or the named one) and an expression for its example."""

    def drafts(self, start: Starting) -> list[Draft]:
        """Return the files of a new set-up."""

    def monitoring(self, address: str) -> list[Draft]:
        """Return the files for Prometheus, Alertmanager and Grafana; ``address``: HOST:PORT of the gateway."""

    def existing(self, top: Path, path: str) -> str | None:
        """Return the text of an existing file; None: there is none."""

    def write(self, top: Path, path: str, text: str) -> bool:
        """Write a new file; False: a file exists by now, and stays."""
