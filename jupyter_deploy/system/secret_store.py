"""The values of secrets: read where their references say, and stored in the user's keyring or in the home.

    python -P -m jupyter_deploy.system.secret_store HOME REFERENCE

prints a value for the process that starts a worker (``targets/local/supervisor/launch.py``).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Manifest
from jupyter_deploy.domain.errors import DeployError, InvalidInput, SecretMissing, StoreError
from jupyter_deploy.domain.secret_references import COMMAND, SECRET_NAME, SecretReference, parse_reference

from .home import default_home, private_folder, write_atomic

SERVICE = "nbdeploy"
"""The service under which the keyring has the values."""

MOST_BYTES = 64 * 1024
_COMMAND_SECONDS = 30.0


class SecretStore:
    """Secrets of one user; a value that is stored without a keyring is a file with mode 0600 below ``home``.

    ``home``: default is the user's default home.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or default_home()).expanduser().absolute()
        self._folder = self.home / "secrets"

    def values(self, references: Mapping[str, str]) -> dict[str, str]:
        """Return the values by variable.

        Raises
        ------
        SecretMissing
            A value cannot be read; the error names the variable and the reference.
        """
        return {variable: self.value(variable, parse_reference(text)) for variable, text in references.items()}

    def values_of(self, manifest: Manifest) -> dict[str, str]:
        """Return the values for a process of a stored snapshot. Raises SecretMissing."""
        return self.values(manifest.provenance.secrets)

    def value(self, variable: str, reference: SecretReference) -> str:
        """Return one value, without the line break at its end; ``variable`` is for the error."""
        try:
            value = self._read(variable, reference)
        except OSError as error:
            raise _missing(variable, reference, error.strerror or str(error)) from error
        if not value:
            raise _missing(variable, reference, "it is empty")
        if len(value.encode()) > MOST_BYTES or "\0" in value:
            raise _missing(variable, reference, f"it is no text of at most {MOST_BYTES // 1024} KiB")
        return value

    def set(self, name: str, value: str) -> str:
        """Store a value, in place of an earlier one; return where.

        Raises
        ------
        InvalidInput
            The name or the value cannot be stored.
        StoreError
            The home is not writable.
        """
        _require_name(name)
        if not value or "\0" in value or len(value.encode()) > MOST_BYTES:
            raise InvalidInput("the value is empty, or no text", f"give a text of at most {MOST_BYTES // 1024} KiB")
        keyring = _keyring()
        if keyring is not None:
            with _unlocked(keyring):
                keyring.set_password(SERVICE, name, value)
            self._path(name).unlink(missing_ok=True)
            self._note(name)
            return f"the keyring ({keyring.get_keyring().name})"
        try:
            write_atomic(self._path(name), value)
            self._folder.chmod(0o700)
        except OSError as error:
            raise StoreError(
                f"{self._folder} is not writable: {error.strerror}", "see the folder's owner and disk"
            ) from error
        return f"{self._folder}, readable by you alone"

    def names(self) -> dict[str, str]:
        """Return where each stored secret is, by its name; no value is read."""
        files = sorted(self._folder.glob("*")) if self._folder.is_dir() else []
        stored = {path.name: "file" for path in files if SECRET_NAME.fullmatch(path.name)}
        noted = {path.name.removesuffix(_NOTED): "keyring" for path in files if path.name.endswith(_NOTED)}
        return dict(sorted({**noted, **stored}.items()))

    def remove(self, name: str) -> bool:
        """Remove a stored value; return whether there was one."""
        _require_name(name)
        present = name in self.names()
        keyring = _keyring()
        if keyring is not None:
            with _unlocked(keyring):
                if keyring.get_password(SERVICE, name) is not None:
                    keyring.delete_password(SERVICE, name)
                    present = True
        for path in (self._path(name), self._path(f"{name}{_NOTED}")):
            path.unlink(missing_ok=True)
        return present

    def _read(self, variable: str, reference: SecretReference) -> str:
        kind, place = reference
        if kind in ("env", "k8s"):
            # The cluster's Secret is read there alone; the proof on this machine has the variable itself.
            name = place if kind == "env" else variable
            if name not in os.environ:
                raise OSError(f"your environment has no variable {name}")
            return os.environ[name]
        if kind == "file":
            return _without_break(Path(place).expanduser().read_text("utf-8", "surrogateescape"))
        if kind == "command":
            return _printed(place)
        return self._stored(place)

    def _stored(self, name: str) -> str:
        if self._path(name).is_file():
            return self._path(name).read_text("utf-8")
        keyring = _keyring()
        value: str | None = None
        if keyring is not None:
            with _unlocked(keyring):
                value = keyring.get_password(SERVICE, name)
        if value is None:
            raise OSError(f"no such secret is stored: nbdeploy secret set {name}")
        return value

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _note(self, name: str) -> None:
        """Note the name, since a keyring lists none."""
        private_folder(self._folder)
        self._path(f"{name}{_NOTED}").touch(mode=0o600)


_NOTED = ",keyring"
"""The end of the name of an empty file, for a value in the keyring. No name of a secret has a comma."""


def _keyring() -> Any:
    """Return the module ``keyring`` if it is installed and this machine has a keyring, else None."""
    try:
        keyring = import_module("keyring")  # an extra; it looks for D-Bus and the like
        fail = import_module("keyring.backends.fail")
    except ImportError:
        return None
    return None if isinstance(keyring.get_keyring(), fail.Keyring) else keyring


@contextlib.contextmanager
def _unlocked(keyring: Any) -> Iterator[None]:
    """Raise StoreError if the keyring is locked, or refuses the call."""
    try:
        yield
    except keyring.errors.KeyringError as error:
        raise StoreError(f"the keyring cannot be used: {error}", "unlock it, or name another place (file:…)") from error


def _printed(place: str) -> str:
    """Return the output of the user's own command for a reference's place."""
    command = os.environ.get(COMMAND, "")
    if not command:
        raise OSError(f"{COMMAND} names no command, such as {COMMAND}='pass show'")
    try:
        ended = subprocess.run(
            [*shlex.split(command), place],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"the command printed nothing within {_COMMAND_SECONDS:g} s") from None
    if ended.returncode:
        raise OSError(f"the command ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
    return _without_break(ended.stdout)


def _without_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _require_name(name: str) -> None:
    if not SECRET_NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name}' is no name of a secret",
            "use letters, digits and _ . @ -, such as prod-db; begin with a letter or digit",
        )


_REMEDIES = {
    "env": "set the variable where you call nbdeploy, or name another place (file:…, keyring:…)",
    "file": "name a file that you can read",
    "keyring": "store it: nbdeploy secret set NAME",
    "command": "see that the command prints the value",
    "k8s": "set the variable in your environment for the proof on this machine; the cluster reads its own Secret",
}


def _missing(variable: str, reference: SecretReference, why: str) -> SecretMissing:
    return SecretMissing(
        f"the secret {variable} cannot be read from {reference}: {why}",
        _REMEDIES[reference.kind].replace("NAME", reference.place),
    )


def main(home: str, reference: str) -> int:
    """Print a value; return the exit code."""
    try:
        sys.stdout.write(SecretStore(Path(home)).value("", parse_reference(reference)))
    except DeployError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
