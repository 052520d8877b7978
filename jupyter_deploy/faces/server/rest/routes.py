"""The routes of the extension in a Jupyter server, with their handlers. Light: it knows no operation."""

from __future__ import annotations

import re
from typing import Any

from jupyter_server.utils import url_path_join

from .events import EventsHandler
from .handlers import PreparationHandler, ReadHandler, WorkerHandler
from .notebook_context import NotebookContextHandler, SearchFormHandler


def add_handlers(server: Any) -> None:
    """Give a Jupyter server the routes, under its base URL."""
    root = re.escape(url_path_join(server.web_app.settings["base_url"], "nbdeploy"))
    routes = [
        (rf"{root}/events", EventsHandler),
        (rf"{root}/worker", PreparationHandler),
        (rf"{root}/(views/notebook_context)", NotebookContextHandler),
        (rf"{root}/(views/search_form)", SearchFormHandler),
        (rf"{root}/(views/.*)", ReadHandler),
        (rf"{root}/(.*)", WorkerHandler),
        (rf"{root}()", WorkerHandler),
    ]
    # The folder of the file browser; if the contents are not a folder (an object store, for example), the server's own.
    server.web_app.settings["nbdeploy_folder"] = getattr(server.contents_manager, "root_dir", "") or server.root_dir
    server.web_app.add_handlers(".*$", routes)
