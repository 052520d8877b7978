"""The routes that read a file or its folder: only of files that the file browser shows to the client. Light."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized

from .handlers import ReadHandler


class NotebookContextHandler(ReadHandler):
    """Reads a folder on the server's machine, so the client needs permission to read the server's contents too.

    ``field``: the one of the request that has the file's path.
    """

    field, kind = "path", "notebook"

    @authorized(action="read", resource="contents")  # type: ignore[untyped-decorator]
    async def _forward(self, path: str) -> None:
        file = self._file()
        if file is None or await self._is_visible(file):  # None: the worker explains the invalid request
            await super()._forward(path)
            return
        self.refuse(
            404,
            f"unknown_{self.kind}",
            f"There is no such {self.kind}",
            "this server's file browser does not show it",
            f"name a {self.kind} that the file browser shows, by its path in the server's folder",
        )

    def _file(self) -> str | None:
        if self.request.method == "GET":
            return self.query.get(self.field, [None])[-1]
        try:
            given = json.loads(self.request.body)[self.field]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return given if isinstance(given, str) else None

    async def _is_visible(self, file: str) -> bool:
        try:
            path = _relative_path(file, Path(self.settings["nbdeploy_folder"]))
            contents = self.contents_manager
            if path is None:
                return False
            return bool(contents.allow_hidden or not await ensure_async(contents.is_hidden(path)))  # type: ignore[no-untyped-call]
        except (OSError, ValueError, RuntimeError):  # too long, with a null character, of an unknown user
            return False


class SearchFormHandler(NotebookContextHandler):
    """Reads the head of a table's file."""

    field, kind = "data", "table"


def _relative_path(file: str, root: Path) -> str | None:
    """Return the path relative to the contents; None: it is outside. A link may lead out, as in the file browser."""
    path = Path(os.path.normpath(root / Path(file).expanduser()))
    for one, folder in ((path, root), (path.resolve(), root.resolve())):
        if one.is_relative_to(folder):
            return one.relative_to(folder).as_posix()
    return None
