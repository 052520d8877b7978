"""The data files that a model opens: which are packed without a word, which are asked for, and how they are packed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Manifest, Packed
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.serving.audit.effects import state_of
from jupyter_deploy.serving.audit.reads import Reads
from jupyter_deploy.serving.workplace import location_of, packed_as
from jupyter_deploy.system.digests import copied

FILE_LIMIT = 1 << 30
"""Bytes up to which a file is packed without being asked for."""

FOLDER_LIMIT = 1000
"""Files of one folder up to which they are packed when it is listed."""


@lru_cache(maxsize=1)
def _tracer() -> Reads:
    """One a process, since a hook cannot be taken out again."""
    return Reads()


def require_included(live: Live) -> None:
    """Raise InvalidInput, before slow work, if what is to be included is not there."""
    for path in live.include:
        if not path.exists():
            raise InvalidInput(f"there is no {path} to include", "name a file or a folder that is there")


@dataclass
class Trace:
    """What the notebook's own process opened by relative paths while the model was asked; all absolute.

    Attributes
    ----------
    opened
        Files, in the order in which they were opened first.
    changed
        What the model made or wrote to meanwhile: its own state, and no data that it came with.
    """

    opened: list[Path] = field(default_factory=list)
    changed: set[Path] = field(default_factory=set)


@contextlib.contextmanager
def traced() -> Iterator[Trace]:
    """Within, it is noted; filled at the end."""
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
    """What is packed into one snapshot's folder so far.

    Parameters
    ----------
    live
        Whose project, working directory and ``include`` count.
    folder
        The snapshot's.
    changed
        What the model wrote itself: not packed, whatever opens it.
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
        """Name within the snapshot -> SHA-256."""
        return {packed_as(at): digest for at, digest in self._packed.items()}

    @property
    def packed(self) -> Packed | None:
        """What the manifest says of them; None: nothing is packed."""
        if not self._packed:
            return None
        return Packed(folder=os.path.relpath(self._start, self._project), absolute=dict(sorted(self._absolute.items())))

    def take_over(self, manifest: Manifest) -> None:
        """Begin with what is packed in the folder already."""
        if manifest.packed is not None:
            self._absolute |= manifest.packed.absolute
        for name, digest in manifest.files.items():
            at = location_of(name)
            if at is not None:
                self._packed[at] = digest
                self.sizes[at] = (self._folder / name).stat().st_size

    def include(self) -> None:
        """Pack what was asked for."""
        for path in self._include:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    self._pack(file)
            if not path.is_relative_to(self._project):
                self._absolute[str(path)] = self.place_of(path)

    def add(self, path: Path) -> bool:
        """Pack a file, or the files of a folder; whether anything was new. The caller asks ``objection`` first."""
        if path.is_dir():
            at = self.place_of(path)
            if any(known.startswith("" if at == "." else f"{at}/") for known in self._packed):
                return False  # what it opens there is there
            new = [self._pack(file) for file in self._visible(path)]
            return any(new)
        return self._pack(path)

    def drop(self, names: list[str]) -> None:
        """Take packed files out again."""
        for at in names:
            (self._folder / packed_as(at)).unlink()
            del self._packed[at], self.sizes[at]

    def lead(self, path: Path) -> bool:
        """Have an absolute path lead to the packed copy; whether that is new."""
        at = self.place_of(path)
        known = self._absolute.get(str(path)) == at
        self._absolute[str(path)] = at
        return not known

    def original(self, path: str) -> Path:
        """Where a path is here, that a replay told: relative to where the model began."""
        return Path(os.path.normpath(self._start / path))

    def is_data(self, path: Path) -> bool:
        """Whether there is something that the model did not make itself."""
        return path.exists() and path not in self._changed

    def objection(self, path: Path) -> str | None:
        """Why a path that is there is not packed without being asked for; None: it is."""
        real = path.resolve()
        if any(real.is_relative_to(one.resolve()) for one in self._include):
            return None
        if not path.is_relative_to(self._project) and not real.is_relative_to(self._project):
            return f"is outside of the project {self._project}"
        if any(part.startswith(".") for part in Path(self.place_of(path)).parts):
            return "is hidden, as settings and secrets are"
        if path.is_dir():
            count = len(self._visible(path))
            return f"holds {count} files" if count > FOLDER_LIMIT else None
        size = path.stat().st_size
        return f"has {size / (1 << 30):.1f} GiB" if size > FILE_LIMIT else None

    def place_of(self, path: Path) -> str:
        """Its path relative to the project."""
        if not path.is_relative_to(self._project) and path.resolve().is_relative_to(self._project):
            path = path.resolve()
        return os.path.relpath(path, self._project)

    def holds(self, path: Path) -> bool:
        """Whether it is packed."""
        return self.place_of(path) in self._packed

    def _visible(self, folder: Path) -> list[Path]:
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))

    def _pack(self, path: Path) -> bool:
        at = self.place_of(path)
        if at in self._packed:
            return False
        copy = self._folder / packed_as(at)
        self._packed[at] = copied(path, copy)
        self.sizes[at] = copy.stat().st_size
        return True
