"""How a release's processes get their secrets at each start, also after a restart that nobody requested."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import SecretMissing, StartFailed, StoreError
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import for_engine
from jupyter_deploy.domain.secret_references import COMMAND, parse_reference
from jupyter_deploy.system import secret_store
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.system.secret_store import SecretStore
from jupyter_deploy.targets.local.naming import key_of
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings

Sources = dict[str, dict[str, Any]]


def kept_secrets(runtime: Runtime, release: Release) -> Path:
    """The folder of the values that were variables of an environment; it exists if there are some."""
    return runtime.path / "secrets" / key_of(release.endpoint, release.tag)


def require_secrets(release: Release, settings: LocalSettings, runtime: Runtime) -> None:
    """Raise StartFailed, before slow work, if a value cannot be read now and was not kept either."""
    store, kept = SecretStore(settings.home), kept_secrets(runtime, release)
    for variable, text in release.secrets.items():
        if not (parse_reference(text).kind == "env" and (kept / variable).exists() and not _in_environment(text)):
            try:
                store.value(variable, parse_reference(text))
            except (SecretMissing, StoreError) as error:
                raise StartFailed(f"{release.tag} cannot start: {error.message}", error.remedy) from error


def secret_sources(release: Release, settings: LocalSettings, runtime: Runtime) -> Sources:
    """Return the sources of a release's secrets, for ``Program.secrets``.

    A variable of this process's environment is kept in a folder of the runtime directory with mode 0700, since later
    starts have another environment.
    """
    kept = kept_secrets(runtime, release)
    return {variable: _source(variable, text, settings.home, kept) for variable, text in release.secrets.items()}


def _source(variable: str, text: str, home: Path, kept: Path) -> dict[str, Any]:
    reference = parse_reference(text)
    if reference.kind == "file":
        return {"file": str(Path(reference.place).expanduser())}
    if reference.kind == "env":
        if _in_environment(text):
            private_folder(kept)
            write_atomic(kept / variable, os.environ[reference.place])
        return {"file": str(kept / variable)}
    return {
        "run": [sys.executable, "-P", "-m", secret_store.__name__, str(home), text],
        "environment": for_secrets(os.environ),
    }


def _in_environment(text: str) -> bool:
    return parse_reference(text).place in os.environ


def for_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of ``environment`` by which a keyring and the user's own command are reached."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "GNUPGHOME", COMMAND)
    return for_engine(environment) | {name: value for name, value in environment.items() if name in names}
