"""The route of a notebook's context: it serves only notebooks that the file browser shows to the client. Light."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized

from .handlers import ReadHandler


class NotebookContextHandler(ReadHandler):
    """Reads a folder on the server's machine, so the client needs permission to read the server's contents too."""

    @authorized(action="read", resource="contents")  # type: ignore[untyped-decorator]
    async def _forward(self, path: str) -> None:
        notebook = self._notebook()
        if notebook is None or await self._is_visible(notebook):  # None: the worker explains the invalid request
            await super()._forward(path)
            return
        self.refuse(404, "unknown_notebook", "There is no such notebook", "this server's file browser does not show it",
                    "name a notebook that the file browser shows, by its path in the server's folder")  # fmt: skip

    def _notebook(self) -> str | None:
        if self.request.method == "GET":
            return self.query.get("path", [None])[-1]
        try:
            given = json.loads(self.request.body)["path"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return given if isinstance(given, str) else None

    async def _is_visible(self, notebook: str) -> bool:
        try:
            path = _relative_path(notebook, Path(self.settings["nbdeploy_folder"]))
            contents = self.contents_manager
            if path is None:
                return False
            return bool(contents.allow_hidden or not await ensure_async(contents.is_hidden(path)))  # type: ignore[no-untyped-call]
        except (OSError, ValueError, RuntimeError):  # too long, with a null character, of an unknown user
            return False


def _relative_path(notebook: str, root: Path) -> str | None:
    """Return the path relative to the contents; None: it is outside. A link may lead out, as in the file browser."""
    path = Path(os.path.normpath(root / Path(notebook).expanduser()))
    for one, folder in ((path, root), (path.resolve(), root.resolve())):
        if one.is_relative_to(folder):
            return one.relative_to(folder).as_posix()
    return None
