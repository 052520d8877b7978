"""Data that a project module opens relative to its own file: packed next to the module in ``code/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.system.digests import copy_hashed

from .data_files import FILE_LIMIT, FOLDER_LIMIT
from .project_code import modules_in, roots_of


class ModuleData:
    """Data packed next to the code of one snapshot, outside packages, whose data is packed with them.

    Parameters
    ----------
    folder
        The snapshot's folder.
    files
        The files of its manifest, which name the modules.
    """

    def __init__(self, folder: Path, files: Iterable[str]) -> None:
        self._folder = folder
        self._roots = list(dict.fromkeys(root for name in modules_in(files) for root in roots_of(name)))
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def supply(self, reads: Iterable[dict[str, Any]]) -> list[str]:
        """Pack the files that a replay did not find and that exist here; return the new paths in the snapshot."""
        new = []
        for read in reads:
            if read["kind"] == "adjacent":
                new += [name for name, file in self._files_of(read["path"]) if self._pack(name, file)]
        return new

    def _files_of(self, path: str) -> Iterator[tuple[str, Path]]:
        """Yield the file, or the files of the folder, unless it is hidden or too large to be packed by default."""
        if any(part.startswith(".") for part in Path(path).parts):
            return
        present = next((root / path for root in self._roots if (root / path).exists()), None)
        if present is None or present.is_file():
            files = [present] if present else []
        else:
            files = sorted(file for file in present.iterdir() if file.is_file() and not file.name.startswith("."))
        if len(files) <= FOLDER_LIMIT:
            for file in files:
                if file.stat().st_size <= FILE_LIMIT:
                    yield f"{FOLDER}/{path}" if file == present else f"{FOLDER}/{path}/{file.name}", file

    def _pack(self, name: str, file: Path) -> bool:
        if name in self.digests:
            return False
        self.digests[name] = copy_hashed(file, self._folder / name)
        self.sizes[name] = file.stat().st_size
        return True
