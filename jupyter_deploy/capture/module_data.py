"""Data that a module of the project opens by where its own file lies: packed beside the file, in ``code/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.system.digests import copied

from .data_files import FILE_LIMIT, FOLDER_LIMIT
from .project_code import modules_in, roots_of


class BesideCode:
    """What is packed beside the code of one snapshot. A package's data goes in with it; this is what else is opened.

    Parameters
    ----------
    folder
        The snapshot's.
    files
        Those of its manifest, which name the modules.
    """

    def __init__(self, folder: Path, files: Iterable[str]) -> None:
        self._folder = folder
        self._roots = list(dict.fromkeys(root for name in modules_in(files) for root in roots_of(name)))
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def supply(self, reads: Iterable[dict[str, Any]]) -> list[str]:
        """Pack what a replay found missing beside the code, and is here; the paths in the snapshot of what is new."""
        new = []
        for read in reads:
            if read["kind"] == "beside":
                new += [name for name, file in self._found(read["path"]) if self._pack(name, file)]
        return new

    def _found(self, path: str) -> Iterator[tuple[str, Path]]:
        """The file, or those of the folder, unless it is hidden or too much to be packed without being asked for."""
        if any(part.startswith(".") for part in Path(path).parts):
            return
        here = next((root / path for root in self._roots if (root / path).exists()), None)
        if here is None or here.is_file():
            files = [here] if here else []
        else:
            files = sorted(file for file in here.iterdir() if file.is_file() and not file.name.startswith("."))
        if len(files) <= FOLDER_LIMIT:
            for file in files:
                if file.stat().st_size <= FILE_LIMIT:
                    yield f"{FOLDER}/{path}" if file == here else f"{FOLDER}/{path}/{file.name}", file

    def _pack(self, name: str, file: Path) -> bool:
        if name in self.digests:
            return False
        self.digests[name] = copied(file, self._folder / name)
        self.sizes[name] = file.stat().st_size
        return True
