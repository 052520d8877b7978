"""The executed notebook's file: one writer, private, whole at every moment, and without what is secret."""

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
from jupyter_deploy.domain.secret_names import hide_secrets, is_confidential

_PATH_SECRET = 16  # characters from which on a part of an address is one
_MASK = "***"
_SHORTEST = 4  # characters of a parameter that is looked for in texts
_LONG = 8  # characters from which on a secret is looked for within words

_importing = threading.Lock()


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Be the only one who writes a file, among all processes and threads.

    Raises
    ------
    Conflict
        Another run writes it.
    OSError
        Its folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _locked(lock, path)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held: whoever waits for it sees that it is gone
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
            pass  # its last holder took it away
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


class Secrets:
    """What must not stand in what is kept of a run.

    Parameters
    ----------
    named
        Of its kernel's environment: the values whose names say so.
    addresses
        What a kernel is given of addresses: the parts of their path that nobody could guess.
    parameters
        The run's: what stands under a name that says so, at any depth and of any type.
    """

    def __init__(
        self, named: Mapping[str, str], *, addresses: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> None:
        self._named, self._addresses, self.parameters = named, addresses, parameters or {}

    def prepare(self) -> None:
        """Find them in another thread, while the kernel starts: what knows secrets by their looks is slow to import."""
        threading.Thread(target=lambda: self._values, daemon=True).start()

    @cached_property
    def _values(self) -> re.Pattern[str] | None:
        secret_under = _guards()[0].secret_under
        leaves = list(_leaves("", self.parameters))
        found = {text for _, text, is_secret in leaves if is_secret and len(text.strip()) >= _SHORTEST}
        named = [*self._named.items(), *((name, text) for name, text, _ in leaves)]
        found |= {hit.value for name, value in named for hit in secret_under(name, value)}
        found |= {part for address in self._addresses.values() for part in _secret_parts(address)}
        written = {form: len(value) < _LONG for value in found for form in _forms(value)}
        # Of several that begin alike the longest; a short one must be a word of its own: '2026' is not in '0.2026'.
        ordered = sorted(written, key=len, reverse=True)
        forms = [rf"(?<![\w.]){re.escape(one)}(?!\w)" if written[one] else re.escape(one) for one in ordered]
        return re.compile("|".join(forms)) if forms else None

    def masked(self, text: str) -> str:
        """A text that is shown or kept, without them and without what is a secret by its looks."""
        masked: tuple[str, list[str]] = _guards()[1].masked(self.without(text))
        return masked[0]

    def all_masked(self, texts: Sequence[str]) -> list[str]:
        """As ``masked``, of many short texts, which seldom hold any."""
        together = "\n".join(texts)
        return list(texts) if self.masked(together) == together else [self.masked(text) for text in texts]

    def without(self, text: str) -> str:
        """The text with each of them replaced."""
        return self._values.sub(_MASK, text) if self._values is not None else text

    def within(self, value: Any, keep: Collection[str] = ()) -> Any:
        """A JSON value with each of them replaced in its texts; not in its keys, nor in what stands under ``keep``."""
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, Mapping):
            return {name: one if name in keep else self.within(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(one) for one in value]
        return value

    def of_notebook(self, document: Any) -> Any:
        """A copy of a notebook without them: of what its cells and parameters say, and not of its structure."""
        import nbformat

        metadata = self.within(document.metadata, ("kernelspec", "language_info", "tags"))
        run = metadata.get("papermill")
        if isinstance(run, dict) and isinstance(run.get("parameters"), dict):
            run["parameters"] = {name: hide_secrets(name, value) for name, value in run["parameters"].items()}
        cells = [self._of_cell(cell) for cell in document.cells]
        return nbformat.from_dict({**document, "metadata": metadata, "cells": cells})

    def _of_cell(self, cell: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.within(cell, ("cell_type", "id", "metadata", "outputs"))
        found["metadata"] = self.within(cell.metadata, ("tags",))
        if "outputs" in cell:
            found["outputs"] = [self.within(one, ("output_type", "name")) for one in cell.outputs]
        if "injected-parameters" in cell.metadata.get("tags", ()):
            for name, value in self.parameters.items():
                if is_confidential(name) and not isinstance(value, Mapping | list | tuple):  # also of two signs
                    line = rf"(?m)^([^\n\"'=]*?\b{re.escape(name)}\b[^\n\"'=<]*(?:=|<-)\s*).*$"
                    found["source"] = re.sub(line, rf'\1"{_MASK}"', found["source"])
        return found


def _guards() -> tuple[Any, Any]:
    """What finds secrets, and what masks them; imported by one thread at a time, since each imports the other."""
    with _importing:
        from jupyter_deploy.masking import detection, masking
    return detection, masking


def _leaves(name: str, value: Any, *, is_secret: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Each single value as a text, with the name that it has and whether one above it says that it is secret."""
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
    """A text as it stands in a notebook: in code, in JSON, in HTML, in an address."""
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
    """Put a notebook in its place at once: whoever reads it finds the former or this one, never a part.

    ``secrets`` None: it is as its author wrote it.
    """
    import nbformat

    text = nbformat.v4.writes(document if secrets is None else secrets.of_notebook(document))
    part = path.with_name(f".{path.name}.part")  # of the one writer
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
