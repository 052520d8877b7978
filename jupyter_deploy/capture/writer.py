"""What of a live object is written into a snapshot's folder: the model, the example, and the project's code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.ports import Live

from .frameworks import framework_of, frameworks
from .pickling import write_pickle
from .project_code import ProjectCode


def write(
    live: Live, example: Mapping[str, Any], folder: Path, code: ProjectCode
) -> tuple[dict[str, str], dict[str, str]]:
    """Model, example and the project's code that they need: path in the snapshot -> SHA-256, and -> format."""
    files, formats = _write_model(live, folder, code)
    files["example.pkl"] = write_pickle(dict(example), folder / "example.pkl", name="the example", code=code)
    return files | code.pack(folder), formats


def _write_model(live: Live, folder: Path, code: ProjectCode) -> tuple[dict[str, str], dict[str, str]]:
    """``model.pkl`` and the parts of it that have formats of their own: file name -> SHA-256, and -> format."""
    writers = [writer for framework in frameworks() if (writer := framework.native_writer(folder)) is not None]
    name = live.source.variable or "the model"
    # As it is served; else calling net.eval() would make another snapshot.
    with framework_of(live.model).asking(live.model):
        files = {"model.pkl": write_pickle(live.model, folder / "model.pkl", name=name, code=code, writers=writers)}
        formats = {"model.pkl": "cloudpickle"}
        # Frameworks see to the mode of their own models; what a function or class holds is its own affair.
        own = framework_of(live.model).name == "python"
        for writer in writers:
            written = writer.finish()
            code.met_in_training(getattr(writer, "in_training", ()) if own else ())
            files |= written
            formats |= dict.fromkeys(written, writer.format)
    return files, formats
