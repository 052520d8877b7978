"""The files of a Compose project in a user's folder, in which users may change files or have their own.

``.nbdeploy.json`` in that folder holds the SHA-256 of each written file. During a write it holds the former and the new
ones, so that an interrupted command can be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput, Refused, disk_faults
from jupyter_deploy.domain.images.compose import FILES, GATEWAY_FILE
from jupyter_deploy.system.digests import sha256
from jupyter_deploy.system.home import write_atomic

KNOWN = ".nbdeploy.json"

_NAMED = 5  # foreign files named in an error


class ProjectFolders:
    """The ComposeFolders port."""

    def require(self, folder: Path, *, overwrite: bool) -> None:
        """Raise Refused if foreign or changed files would be lost, InvalidInput if it is no folder."""
        if not folder.is_dir():
            if folder.exists() or folder.is_symlink():
                raise InvalidInput(f"{folder} is no folder", "name another one: --output-dir")
            return
        if overwrite:
            return
        known = _known(folder)
        written = known or {}
        changed = [name for name, text in self.existing(folder).items() if _hash(text) not in written.get(name, ())]
        if known is not None and changed:
            raise Refused(
                f"{', '.join(changed)} in {folder} {'is' if len(changed) == 1 else 'are'} not as nbdeploy wrote "
                f"{'it' if len(changed) == 1 else 'them'}",
                "move your changes, such as to compose.override.yaml, and overwrite the files: --overwrite; or "
                "name another folder: --output-dir",
            )
        others = sorted(path.name for path in folder.iterdir()) if known is None else []
        if others:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            raise Refused(
                f"{folder} has files that nbdeploy did not write: {', '.join(others[:_NAMED])}{more}",
                f"name another folder: --output-dir; or have {', '.join(FILES)} written there: --overwrite",
            )

    def existing(self, folder: Path) -> Mapping[str, str]:
        """The project's files that exist; a file that is no text counts as empty."""
        texts = {}
        for name in FILES:
            if (folder / name).exists() or (folder / name).is_symlink():
                texts[name] = ""
                with suppress(OSError, UnicodeDecodeError):
                    texts[name] = (folder / name).read_bytes().decode()
        return texts

    def write(self, folder: Path, texts: Mapping[str, str]) -> None:
        """Write all files in their order, each atomically."""
        with _mended(folder), disk_faults():
            folder.mkdir(parents=True, exist_ok=True)
            before = _known(folder) or {}
            written = {name: [_hash(text)] for name, text in texts.items()}
            _note(folder, {name: [*before.get(name, ()), *hashes] for name, hashes in written.items()})
            for name, text in texts.items():
                if (folder / name).is_dir():
                    raise InvalidInput(f"{folder / name} is a folder", "move it away")
                write_atomic(folder / name, text, 0o644)
                if name == GATEWAY_FILE:  # whatever the umask: another user of the container reads it
                    (folder / name).chmod(0o644)
                    (folder / name).parent.chmod(0o755)
            _note(folder, written)


def _note(folder: Path, known: Mapping[str, Sequence[str]]) -> None:
    write_atomic(folder / KNOWN, json.dumps({"written": known}, indent=1) + "\n", 0o644)


def _known(folder: Path) -> dict[str, list[str]] | None:
    """By name, the SHA-256 of the files as they were written; None: none was."""
    try:
        written = json.loads((folder / KNOWN).read_text("utf-8"))["written"]
        return {str(name): [str(one) for one in hashes] for name, hashes in written.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _hash(text: str) -> str:
    return sha256(text.encode())


@contextmanager
def _mended(folder: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InvalidInput(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            "name another folder: --output-dir",
        ) from error
