"""The executed notebook's file: one writer, private, complete at every moment, and without secrets."""

from __future__ import annotations

import contextlib
import fcntl
import html
import json
import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.domain.secret_names import is_confidential, shown

_PATH_SECRET = 16  # characters from which on a part of an address is a secret
_MASK = "***"
_SHORTEST = 4  # characters of a parameter that is masked in texts
_LONG = 8  # characters from which on a secret is masked within words

_importing = threading.Lock()


@contextmanager
def exclusive_writer(path: Path) -> Iterator[None]:
    """Hold the lock of a file's only writer, among all processes and threads.

    Raises
    ------
    Conflict
        Another run writes the file.
    OSError
        Its folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _locked(lock, path)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while the lock is held: a waiting process sees the removal
        os.close(descriptor)


def _locked(lock: Path, path: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(
                f"another run writes {path}", "wait for it, or let this one write to another folder with --executed"
            ) from None
        except FileNotFoundError:
            pass  # its last holder removed it
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


class Secrets:
    """The secrets of a run, to be masked in everything that is stored.

    Parameters
    ----------
    named
        The kernel's environment: values with confidential names are secrets.
    addresses
        The kernel's addresses: long random parts of their paths are secrets.
    parameters
        The run's parameters: values under confidential names are secrets, at any depth and of any type.
    """

    def __init__(
        self, named: Mapping[str, str], *, addresses: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> None:
        self._named, self._addresses, self.parameters = named, addresses, parameters or {}

    def prepare(self) -> None:
        """Find the secrets in a thread while the kernel starts, since the detection of secrets is slow to import."""
        threading.Thread(target=lambda: self._values, daemon=True).start()

    @cached_property
    def _values(self) -> re.Pattern[str] | None:
        secret_under = _masking_modules()[0].secret_under
        leaves = list(_leaves("", self.parameters))
        secrets = {text for _, text, is_secret in leaves if is_secret and len(text.strip()) >= _SHORTEST}
        named = [*self._named.items(), *((name, text) for name, text, _ in leaves)]
        secrets |= {hit.value for name, value in named for hit in secret_under(name, value)}
        secrets |= {part for address in self._addresses.values() for part in _secret_parts(address)}
        written = {form: len(value) < _LONG for value in secrets for form in _forms(value)}
        # The longest of several with the same prefix; a short one must be a whole word: '2026' is not in '0.2026'.
        ordered = sorted(written, key=len, reverse=True)
        forms = [rf"(?<![\w.]){re.escape(one)}(?!\w)" if written[one] else re.escape(one) for one in ordered]
        return re.compile("|".join(forms)) if forms else None

    def masked(self, text: str) -> str:
        """Mask the secrets of a text, and values that look like secrets."""
        masked: tuple[str, list[str]] = _masking_modules()[1].masked(self.without(text))
        return masked[0]

    def all_masked(self, texts: Sequence[str]) -> list[str]:
        """Mask many short texts, which rarely hold secrets."""
        together = "\n".join(texts)
        return list(texts) if self.masked(together) == together else [self.masked(text) for text in texts]

    def without(self, text: str) -> str:
        """Mask the secrets of a text."""
        return self._values.sub(_MASK, text) if self._values is not None else text

    def within(self, value: Any, keep: Collection[str] = ()) -> Any:
        """Mask the secrets of a JSON value's texts, but not in keys, nor in values under ``keep``."""
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, Mapping):
            return {name: one if name in keep else self.within(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(one) for one in value]
        return value

    def of_notebook(self, document: Any) -> Any:
        """Copy a notebook with masked cells and parameters; its structure is unchanged."""
        import nbformat

        metadata = self.within(document.metadata, ("kernelspec", "language_info", "tags"))
        run = metadata.get("papermill")
        if isinstance(run, dict) and isinstance(run.get("parameters"), dict):
            run["parameters"] = {name: shown(name, value) for name, value in run["parameters"].items()}
        cells = [self._of_cell(cell) for cell in document.cells]
        return nbformat.from_dict({**document, "metadata": metadata, "cells": cells})

    def _of_cell(self, cell: Any) -> dict[str, Any]:
        copied: dict[str, Any] = self.within(cell, ("cell_type", "id", "metadata", "outputs"))
        copied["metadata"] = self.within(cell.metadata, ("tags",))
        if "outputs" in cell:
            copied["outputs"] = [self.within(one, ("output_type", "name")) for one in cell.outputs]
        if "injected-parameters" in cell.metadata.get("tags", ()):
            for name, value in self.parameters.items():
                if is_confidential(name) and not isinstance(value, Mapping | list | tuple):  # also of two characters
                    line = rf"(?m)^([^\n\"'=]*?\b{re.escape(name)}\b[^\n\"'=<]*(?:=|<-)\s*).*$"
                    copied["source"] = re.sub(line, rf'\1"{_MASK}"', copied["source"])
        return copied


def _masking_modules() -> tuple[Any, Any]:
    """Import the modules that detect and mask secrets, in one thread at a time: they import each other."""
    with _importing:
        from jupyter_deploy.masking import detection, masking
    return detection, masking


def _leaves(name: str, value: Any, *, is_secret: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Yield each single value: its name, its text, and whether a name above it is confidential."""
    is_secret = is_secret or is_confidential(name)
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(str(key), one, is_secret=is_secret)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(name, one, is_secret=is_secret)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value), is_secret


def _forms(value: str) -> set[str]:
    """Return the forms of a text in a notebook: in code, in JSON, in HTML, in an address."""
    in_code = value.encode("unicode_escape").decode()
    return {
        value,
        repr(value)[1:-1],
        in_code,
        in_code.replace('"', r"\""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        quote(value, safe=""),
    }


def _secret_parts(address: str) -> Iterable[str]:
    if "://" not in address:
        return
    parts = urlsplit(address)
    yield from (part for part in parts.path.split("/") if len(part) >= _PATH_SECRET)
    if parts.password:
        yield parts.password


def write(document: Any, path: Path, secrets: Secrets | None = None) -> None:
    """Write a notebook atomically: a reader sees the former file or the new one, never a part.

    ``secrets`` None: the notebook is as its author wrote it.
    """
    import nbformat

    text = nbformat.v4.writes(document if secrets is None else secrets.of_notebook(document))
    part = path.with_name(f".{path.name}.part")  # only one writer uses it
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
