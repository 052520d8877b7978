"""What lies beside a notebook, in a Jupyter server: no more of it than the file browser shows to who asks. Light."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized

from .handlers import LookHandler


class BesideHandler(LookHandler):
    """Of a folder on the server's machine: who asks must be allowed to read the server's contents too."""

    @authorized(action="read", resource="contents")  # type: ignore[untyped-decorator]
    async def _ask(self, path: str) -> None:
        notebook = self._notebook()
        if notebook is None or await self._shows(notebook):  # None: the answer says what is wrong with the request
            await super()._ask(path)
            return
        self.refuse(404, "unknown_notebook", "There is no such notebook", "it is not in what this server shows",
                    "name a notebook that the file browser shows, by its path in the server's folder")  # fmt: skip

    def _notebook(self) -> str | None:
        if self.request.method == "GET":
            return self.query.get("path", [None])[-1]
        try:
            given = json.loads(self.request.body)["path"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return given if isinstance(given, str) else None

    async def _shows(self, notebook: str) -> bool:
        try:
            within = _within(notebook, Path(self.settings["nbdeploy_folder"]))
            contents = self.contents_manager
            if within is None:
                return False
            return bool(contents.allow_hidden or not await ensure_async(contents.is_hidden(within)))  # type: ignore[no-untyped-call]
        except (OSError, ValueError, RuntimeError):  # too long, with a null character, of a user that there is not
            return False


def _within(notebook: str, root: Path) -> str | None:
    """Its path as the contents know it; None: it lies elsewhere. A link in them may lead out, as in the browser."""
    path = Path(os.path.normpath(root / Path(notebook).expanduser()))
    for one, folder in ((path, root), (path.resolve(), root.resolve())):
        if one.is_relative_to(folder):
            return one.relative_to(folder).as_posix()
    return None
