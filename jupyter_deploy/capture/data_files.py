"""The data files that a model opens: files packed by default, files packed on request, and the packing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Manifest, Packed
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.serving.audit.effects import state_of
from jupyter_deploy.serving.audit.reads import Reads
from jupyter_deploy.serving.workplace import location_of, packed_as
from jupyter_deploy.system.digests import copy_hashed

FILE_LIMIT = 1 << 30
"""Size limit in bytes of a file that is packed by default."""

FOLDER_LIMIT = 1000
"""The number of files of a listed folder that are packed by default."""


@lru_cache(maxsize=1)
def _tracer() -> Reads:
    """Return the process's only tracer, since a hook cannot be removed."""
    return Reads()


def require_included(live: Live) -> None:
    """Raise InvalidInput before slow work if a file to include does not exist."""
    for path in live.include:
        if not path.exists():
            raise InvalidInput(f"the path to include, {path}, does not exist", "name an existing file or folder")


@dataclass
class Trace:
    """Files that the notebook's process opened by relative paths during the model's calls; all absolute.

    Attributes
    ----------
    opened
        Files in order of their first opening.
    changed
        Files that the model created or wrote meanwhile: its own state, not its data.
    """

    opened: list[Path] = field(default_factory=list)
    changed: set[Path] = field(default_factory=set)


@contextlib.contextmanager
def traced() -> Iterator[Trace]:
    """Trace opened files within this context; the trace is filled at its end."""
    tracer, trace = _tracer(), Trace()
    tracer.forget()
    try:
        with tracer.watching():
            yield trace
    finally:
        for read in tracer.observed.values():
            path = Path(read.path)
            if not read.given.startswith(os.sep) and read.kind != "folder":
                if state_of(path) != read.state:
                    trace.changed.add(path)
                elif read.kind == "file" and not read.importing:
                    trace.opened.append(path)
        tracer.forget()


class DataFiles:
    """The data files packed into one snapshot's folder.

    Parameters
    ----------
    live
        Provides project, working directory and ``include``.
    folder
        The snapshot's folder.
    changed
        Files that the model wrote itself, which are never packed.
    """

    def __init__(self, live: Live, folder: Path, changed: Collection[Path] = ()) -> None:
        self._folder = folder
        self._start = Path.cwd()
        self._project = live.project.resolve()
        self._include = [Path(os.path.normpath(path)) for path in live.include]
        self._changed = changed
        self._absolute: dict[str, str] = {}
        self._packed: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by name within the snapshot."""
        return {packed_as(at): digest for at, digest in self._packed.items()}

    @property
    def packed(self) -> Packed | None:
        """The manifest's entry of packed files; None: no file is packed."""
        if not self._packed:
            return None
        return Packed(folder=os.path.relpath(self._start, self._project), absolute=dict(sorted(self._absolute.items())))

    def take_over(self, manifest: Manifest) -> None:
        """Start from the files that are packed in the folder already."""
        if manifest.packed is not None:
            self._absolute |= manifest.packed.absolute
        for name, digest in manifest.files.items():
            at = location_of(name)
            if at is not None:
                self._packed[at] = digest
                self.sizes[at] = (self._folder / name).stat().st_size

    def include(self) -> None:
        """Pack the requested files."""
        for path in self._include:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    self._pack(file)
            if not path.is_relative_to(self._project):
                self._absolute[str(path)] = self.place_of(path)

    def add(self, path: Path) -> bool:
        """Pack a file, or the files of a folder; return whether any was new. The caller checks ``objection`` first."""
        if path.is_dir():
            at = self.place_of(path)
            if any(known.startswith("" if at == "." else f"{at}/") for known in self._packed):
                return False  # the model will open these packed files there
            new = [self._pack(file) for file in self._visible(path)]
            return any(new)
        return self._pack(path)

    def drop(self, names: list[str]) -> None:
        """Remove packed files."""
        for at in names:
            (self._folder / packed_as(at)).unlink()
            del self._packed[at], self.sizes[at]

    def lead(self, path: Path) -> bool:
        """Redirect an absolute path to the packed copy; return whether that is new."""
        at = self.place_of(path)
        known = self._absolute.get(str(path)) == at
        self._absolute[str(path)] = at
        return not known

    def original(self, path: str) -> Path:
        """Return the local path of a replay's path, which is relative to the model's working directory."""
        return Path(os.path.normpath(self._start / path))

    def is_data(self, path: Path) -> bool:
        """Whether the path holds a file that the model did not write itself."""
        return path.exists() and path not in self._changed

    def objection(self, path: Path) -> str | None:
        """Return the reason why an existing path is not packed by default; None: it is."""
        real = path.resolve()
        if any(real.is_relative_to(included.resolve()) for included in self._include):
            return None
        if not path.is_relative_to(self._project) and not real.is_relative_to(self._project):
            return f"is outside the project {self._project}"
        if any(part.startswith(".") for part in Path(self.place_of(path)).parts):
            return "is hidden, like settings and secrets"
        if path.is_dir():
            count = len(self._visible(path))
            return f"holds {count} files" if count > FOLDER_LIMIT else None
        size = path.stat().st_size
        return f"has {size / (1 << 30):.1f} GiB" if size > FILE_LIMIT else None

    def place_of(self, path: Path) -> str:
        """Return the path relative to the project."""
        if not path.is_relative_to(self._project) and path.resolve().is_relative_to(self._project):
            path = path.resolve()
        return os.path.relpath(path, self._project)

    def holds(self, path: Path) -> bool:
        """Whether the file is packed."""
        return self.place_of(path) in self._packed

    def _visible(self, folder: Path) -> list[Path]:
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))

    def _pack(self, path: Path) -> bool:
        at = self.place_of(path)
        if at in self._packed:
            return False
        copy = self._folder / packed_as(at)
        self._packed[at] = copy_hashed(path, copy)
        self.sizes[at] = copy.stat().st_size
        return True
