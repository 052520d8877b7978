"""Reports of validations: HTML, JUnit's XML, GitHub's annotations."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from jupyter_deploy.domain.validation.validation import Validation
from jupyter_deploy.system.filesystem import remove_folder, size_of, write_error
from jupyter_deploy.system.home import private_folder, write_atomic

KEPT = 200
"""The number of validations' folders that stay, in addition to those that releases refer to."""

OF_THE_USER = 0o666
"""Mode of files that the user names, less the umask: another account's CI agent may have to read them."""


class ValidationReports:
    """The Reports port.

    Parameters
    ----------
    home : Path
        ``<home>/validations/<id>`` (0700) holds the files of one validation: executed notebooks and the page.
    """

    def __init__(self, home: Path) -> None:
        self._root = home / "validations"
        self._warming: threading.Thread | None = None

    def folder(self, validation: str) -> Path:
        with _writing(self._root):
            made = private_folder(self._root / validation)
        if self._warming is None:
            # Not a daemon: a V8 that starts while the interpreter ends would change the exit code.
            self._warming = threading.Thread(target=_warm, name="nbdeploy-reports")
            self._warming.start()
        return made

    def html(self, validation: Validation, history: Iterable[Validation], folder: Path) -> Path:
        from .page import render

        if self._warming is not None:
            self._warming.join()
        path = folder / "report.html"
        with _writing(folder):
            write_atomic(path, render(validation, history, folder))
        return path

    def publish(self, validation: Validation, folder: Path) -> Path:
        from .page import files_of, link_to

        page = Path(validation.report or "")
        folder, index = folder.absolute(), folder.absolute() / "index.html"
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            text = page.read_text("utf-8")
            for file in files_of(validation):
                was, becomes = escape(link_to(file, page.parent)), escape(link_to(folder / file.name, folder))
                text = text.replace(f'<a href="{was}">', f'<a href="{becomes}">')
                if file.exists() and file.parent != folder:
                    _copy(file, folder / file.name)
            write_atomic(index, text, OF_THE_USER)
        return index

    def junit(self, validation: Validation, path: Path) -> None:
        from .junit import document

        with _writing(path):
            write_atomic(path, document(validation), OF_THE_USER)

    def github(self, validation: Validation) -> None:
        from .github import write

        with _writing(os.environ.get("GITHUB_STEP_SUMMARY", "the job's summary")):
            write(validation)

    def size(self, validations: Collection[str]) -> int:
        return sum(size_of(self._root / one) for one in validations)

    def remove(self, validations: Collection[str]) -> None:
        for one in validations:
            remove_folder(self._root / one)

    def clear(self, kept: Collection[str]) -> None:
        """Remove the oldest folders beyond 200; the ones in ``kept`` stay and are not counted."""
        with contextlib.suppress(OSError):  # next time
            names = sorted(entry.name for entry in self._root.iterdir() if entry.is_dir() and entry.name not in kept)
            for name in names[: max(0, len(names) - KEPT)]:
                shutil.rmtree(self._root / name, ignore_errors=True)


@contextmanager
def _writing(where: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(where, error.strerror or error) from error


def _copy(file: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(file, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _warm() -> None:
    with contextlib.suppress(Exception):
        from .notebooks import warm

        warm()
