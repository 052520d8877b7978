"""The service of an image without BentoML, with the interface of the bento's ``service.py``.

``NBDEPLOY_SNAPSHOT`` names the snapshot: ``FOLDER@sha256:…``, its folder and its digest.
"""

from __future__ import annotations

import os

from ..asgi.bare_app import bare_app
from ..asgi.front import Front
from ..output import keep_writing
from ..snapshot import load
from .forking import SNAPSHOT

if os.environ.get(SNAPSHOT):  # else something looks through the modules of the package
    _folder, _, _digest = os.environ[SNAPSHOT].rpartition("@")
    # A pickle is only loaded if it is the very one that was captured.
    load(_folder, digest=_digest)


def app() -> Front:
    """Return the application for any ASGI server."""
    keep_writing()
    return Front(bare_app)
