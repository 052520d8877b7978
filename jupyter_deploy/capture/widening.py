"""A stored snapshot with a wider signature: null in columns, for which the model answers in a clean process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.capture.ports import Staged
from jupyter_deploy.domain.capture.schema import with_null
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput, ReplayFailed
from jupyter_deploy.system.digests import file_sha256

from .replay import run_predict


def copy_files(snapshot: Snapshot, folder: Path) -> None:
    """Copy the files that the snapshot's manifest names."""
    for name in snapshot.manifest.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(snapshot.path) / name, folder / name)


def widened(manifest: Manifest, columns: Sequence[str]) -> Manifest:
    """Return the manifest with a signature that allows null in columns.

    Raises
    ------
    InvalidInput
        An instance has no such column.
    """
    signature = manifest.signature
    schema = signature.instance_schema
    for column in columns:
        wider = with_null(schema, column)
        if wider is None:
            names = ", ".join(signature.columns) or "none: an instance is no object"
            raise InvalidInput(
                f"{manifest.name} has no column '{column}' that null can be added to", f"it has: {names}"
            )
        schema = wider
    provenance = manifest.provenance
    nullable = tuple(dict.fromkeys((*provenance.nullable, *columns)))
    return manifest.model_copy(
        update={
            "signature": signature.model_copy(update={"instance_schema": schema}),
            "provenance": provenance.model_copy(update={"nullable": nullable}),
        }
    )


def require_answers_to_null(staged: Staged, columns: Sequence[str], timeout: float, secrets: Mapping[str, str]) -> None:
    """Call the model in a clean process with its first row, once with null in each column.

    Raises
    ------
    InvalidExample
        The model raises on null, or a request with it cannot be read.
    """
    first = staged.manifest.instances[0]
    digest = f"sha256:{file_sha256(staged.folder / 'snapshot.json')}"
    snapshot = Snapshot(
        tag=f"{staged.manifest.name}:widened",
        digest=digest,
        fingerprint=staged.fingerprint,
        path=str(staged.folder),
        manifest=staged.manifest,
    )
    for column in columns:
        try:
            run_predict(snapshot, [{**first, column: None}], timeout, secrets)
        except ReplayFailed as error:
            raise InvalidExample(
                f"the model does not accept null in '{column}': {error.message}",
                f"impute it in a pipeline with the model, and deploy that with --nullable {column}",
                error.details,
            ) from error
