"""The sketch of a training table, in the folder of a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from jupyter_deploy.domain.capture.artifacts import REFERENCE, Snapshot

from .digests import sha256

if TYPE_CHECKING:
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch


def sketch_of(snapshot: Snapshot) -> ReferenceSketch | None:
    """Return the snapshot's sketch of its training table; None: it has none, or it was changed."""
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch  # most users of a store need no drift

    expected = snapshot.manifest.files.get(REFERENCE)
    try:
        content = (Path(snapshot.path) / REFERENCE).read_bytes()
        return ReferenceSketch.model_validate_json(content) if sha256(content) == expected else None
    except (OSError, ValidationError):
        return None
