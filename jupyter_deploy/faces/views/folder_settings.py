"""The ``nbdeploy.yaml`` of a notebook's folder, as a form shows it to the user who may agree to it."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.secret_names import hide_secrets
from jupyter_deploy.settings import read_folder_settings

from .form_documents import SettingsFile


def settings_file(folder: Path | None, home: Path) -> SettingsFile | None:
    """Return a folder's file; None: there is none, or it has no setting that needs an agreement.

    Raises
    ------
    InvalidInput
        It cannot be read.
    """
    found = read_folder_settings(folder, home) if folder else None
    if folder is None or found is None or not found.with_agreement:
        return None
    import yaml

    return SettingsFile(
        folder=str(folder),
        path=str(found.path),
        digest=found.digest,
        content=yaml.safe_dump(hide_secrets("", found.with_agreement), sort_keys=False, allow_unicode=True),
        agreed=found.agreed,
    )
