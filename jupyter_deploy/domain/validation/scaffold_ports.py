"""What ``init`` needs of a project's folder; see ``ports``."""

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
    """What a set-up is written for.

    Attributes
    ----------
    trained
        The models. The starter's own example among them is written too.
    validating
        Path of each validation notebook that is there, and of which endpoint it is (None: it does not say).
    regression
        By the endpoint's name, whether its model answers with measured numbers, as far as that is known.
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
        """Of each endpoint its validation notebooks, and whether each is there; of ``''`` those that name none."""
        found: dict[str, dict[str, bool]] = {one.name: {} for one in self.trained}
        for path, name in self.validating.items():
            found.setdefault(name or "", {})[path] = True
        for one in self.trained:
            made = (PurePosixPath(one.notebook).parent / f"validate_{one.name}.ipynb").as_posix()
            found[one.name] = found[one.name] or {made: False}
        return found

    @property
    def notebooks(self) -> set[str]:
        return {*(one.notebook for one in self.trained), *self.validating}


@dataclass(frozen=True)
class Draft:
    """A file that would be written.

    ``add``: what to add where one is there that has no ``mark`` in it; ``note``: what people have to do about it.
    """

    path: str
    text: str
    add: str = ""
    mark: str = ""
    note: str = ""


class Starter(Protocol):
    @property
    def example(self) -> Trained:
        """A model of its own, for a project that trains none yet."""

    def top(self, folder: Path) -> tuple[Path, bool]:
        """Where workflows and hooks are looked for: the top of the git repository, and whether there is one."""

    def notebooks(self, top: Path) -> list[ProjectNotebook]:
        """The project's notebooks, by path; what is none is left out."""

    def deployed(self, notebook: ProjectNotebook) -> list[Trained]:
        """The models that its cells deploy under a name, as a static look finds them."""

    def fitted(self, notebook: ProjectNotebook, variable: str | None = None) -> tuple[str, str] | None:
        """The variable that is fitted last (or the named one) and an expression for an example of what it takes."""

    def drafts(self, start: Starting) -> list[Draft]:
        """The set-up's files, as they would be new."""

    def existing(self, top: Path, path: str) -> str | None:
        """What is there of that path; None: nothing."""

    def write(self, top: Path, path: str, text: str) -> bool:
        """Write a new file; False: one is there by now, and stays."""
