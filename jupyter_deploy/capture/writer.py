"""Writer of a snapshot's files: the model, the example, and the project's code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.lookups import LOOKUPS
from jupyter_deploy.domain.capture.ports import Live

from .frameworks import framework_of, frameworks
from .pickling import write_pickle
from .project_code import ProjectCode


def write(
    live: Live, example: Mapping[str, Any], folder: Path, code: ProjectCode
) -> tuple[dict[str, str], dict[str, str]]:
    """Write model, example, lookups and the project's code; return SHA-256 and format by path in the snapshot."""
    files, formats = _write_model(live, folder, code)
    files["example.pkl"] = write_pickle(dict(example), folder / "example.pkl", name="the example", code=code)
    if live.lookups:
        files[LOOKUPS] = write_pickle(live.lookups, folder / LOOKUPS, name="the lookup", code=code)
    return files | code.pack(folder), formats


def _write_model(live: Live, folder: Path, code: ProjectCode) -> tuple[dict[str, str], dict[str, str]]:
    """Write ``model.pkl`` and the parts with native formats; return SHA-256 and format by file name."""
    writers = [writer for framework in frameworks() if (writer := framework.native_writer(folder)) is not None]
    name = live.source.variable or "the model"
    # In serving mode; otherwise net.eval() would give a different snapshot.
    with framework_of(live.model).asking(live.model):
        files = {"model.pkl": write_pickle(live.model, folder / "model.pkl", name=name, code=code, writers=writers)}
        formats = {"model.pkl": "cloudpickle"}
        # Frameworks set the mode of their own models; functions and classes manage that themselves.
        own = framework_of(live.model).name == "python"
        for writer in writers:
            written = writer.finish()
            code.note_train_mode(getattr(writer, "in_training", ()) if own else ())
            files |= written
            formats |= dict.fromkeys(written, writer.format)
    return files, formats
