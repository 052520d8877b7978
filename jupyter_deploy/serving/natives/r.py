"""Models of R: an RDS file, answered by a process of R (``serving.r``)."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..environment import EnvironmentChanged
from ..r.frames import decoded, encoded
from ..r.process import RCrashed, RError, RMissing, RProcess

MODEL, ABOUT = "model.rds", "model.r.json"
"""The files of a model: R's objects, and what this side needs to know of them."""


class RModel:
    """A model in a process of R: ``predict`` takes a pandas frame and answers one value a row.

    Parameters
    ----------
    folder
        Has ``model.rds`` and ``model.r.json``.
    variables
        Environment variables of R, in addition to this process's own.

    Attributes
    ----------
    about
        The content of ``model.r.json``.
    versions
        The versions of R and its loaded packages here, see ``versions_of``.

    Raises
    ------
    EnvironmentChanged
        R is missing, has another minor version than at the capture, or lacks a package.
    """

    files = (MODEL, ABOUT)

    def __init__(self, folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder = folder
        self._variables = variables
        self.about: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
        self._lock = threading.Lock()
        self._process: RProcess | None = None
        self.versions = self._running().versions
        self._require_versions()
        _models.add(self)

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        """The method that is named as the type of R's ``predict``."""
        if name != "predict" and name == self.__dict__.get("about", {}).get("type"):
            return self.predict
        raise AttributeError(f"the model of R has no '{name}'")

    def predict(self, frame: Any) -> Any:
        """Answer a pandas frame of n rows with n values: an array, a list, or objects by name.

        Raises
        ------
        RError
            The model raises; the message is R's.
        RCrashed
            R crashed, or exceeded the time limit; the next call is answered.
        InvalidInstances
            R cannot hold a value.
        """
        rows, message = encoded(frame, self.about["columns"])
        with self._lock:
            return decoded(self._running().call(message, rows)).answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def leave_to_parent(self) -> None:
        """In a fork: the process is the parent's; the next call starts one of this process's own."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.forget()
            self._process = None

    def _running(self) -> RProcess:
        if self._process is None or not self._process.is_alive:
            self.close()
            self._process = _started(self.folder, self.about, self._variables)
        return self._process

    def _require_versions(self) -> None:
        captured = self.about["r"]["version"]
        running = versions_of(self.versions)["R"][0]
        if captured.split(".")[:2] != running.split(".")[:2]:
            self.close()
            raise EnvironmentChanged(
                [f"R: captured {captured}, running {running}; serve it with the same minor version"]
            )
        if os.environ.get("NBDEPLOY_CHECK_ENVIRONMENT") == "1":
            installed = versions_of(self.versions)
            packages = self.about["r"]["packages"]
            lines = [
                f"R package {name}: captured {about['version']}, installed {installed[name][0]}"
                for name, about in packages.items()
                if name in installed and installed[name][0] != about["version"]
            ]
            if lines:
                self.close()
                raise EnvironmentChanged(lines)


def _started(folder: Path, about: dict[str, Any], variables: Mapping[str, str]) -> RProcess:
    try:
        return RProcess(folder, about["r"]["libraries"], variables)
    except RMissing as error:
        raise EnvironmentChanged([f"R: captured {about['r']['version']}, not installed; install R"]) from error
    except RError as error:
        if "there is no package called" in str(error):
            name = str(error).replace("\u2018", "'").replace("\u2019", "'").split("'")[1]
            version = about["r"]["packages"].get(name, {}).get("version", "?")
            how = f"install.packages('{name}') in R, or the distribution's r-cran-{name.lower()}"
            raise EnvironmentChanged([f"R package {name}: captured {version}, not installed; {how}"]) from error
        raise


def versions_of(text: str) -> dict[str, list[str]]:
    """Return by package its version, source and ``Packaged`` (a text that may be empty); of R version and platform."""
    lines = (line.split("\t") for line in text.splitlines())
    return {name: rest for name, *rest in lines}


_models: weakref.WeakSet[RModel] = weakref.WeakSet()


def _in_fork() -> None:
    for model in list(_models):
        model.leave_to_parent()


os.register_at_fork(after_in_child=_in_fork)


def load(folder: Path, file: str) -> RModel:
    """Load the model whose files are in a snapshot's folder."""
    del file
    return RModel(folder)


__all__ = ["ABOUT", "MODEL", "RCrashed", "RError", "RModel", "load", "versions_of"]
