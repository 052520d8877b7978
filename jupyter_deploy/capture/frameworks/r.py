"""Models of R: any model that ``predict`` takes there, and any function of a data frame."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from jupyter_deploy.system.digests import file_sha256

from .base import Framework, NativeWriter, loaded

_MODULE = "jupyter_deploy.serving.natives.r"


class R(Framework):
    """``serving.natives.r.RModel``, which the capture in R's kernel makes (``capture.r``)."""

    name = "R"
    trained = True

    def base_of(self, model: Any) -> type | None:
        kind = loaded(_MODULE, "RModel")
        return kind if kind is not None and isinstance(model, kind) else None

    def kind(self, model: Any) -> str:
        """R's class, such as ``lm (R 4.5.0)``."""
        return f"{model.about['class']} (R {model.about['r']['version']})"

    def chooses_columns(self, model: Any) -> bool:
        """By name, unless it takes a matrix."""
        return bool(model.about["style"] != "matrix" and model.about["input"] != "matrix")

    def features(self, model: Any) -> tuple[str, ...] | None:
        """The variables of the formula's terms."""
        return tuple(model.about["features"]) or None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """The formula, the type of ``predict``, and the packages with their versions."""
        packages = [f"{name} {one['version']}" for name, one in model.about["r"]["packages"].items()]
        found = {"formula": model.about["formula"], "type": model.about["type"], "packages": packages}
        return {name: value for name, value in found.items() if value}

    def native_writer(self, folder: Path) -> NativeWriter | None:
        kind = loaded(_MODULE, "RModel")
        return None if kind is None else _Files(folder, kind)


class _Files:
    """Copies the files of the one model of R in a snapshot."""

    format = "r"

    def __init__(self, folder: Path, kind: type) -> None:
        self._folder = folder
        self._kind = kind
        self._written: list[str] = []

    def takes(self, kind: type) -> bool:
        return issubclass(kind, self._kind)

    def take(self, part: Any) -> tuple[Any, ...] | None:
        for name in part.files:
            shutil.copyfile(part.folder / name, self._folder / name)
            self._written.append(name)
        return (part.files[0],)

    def finish(self) -> dict[str, str]:
        return {name: file_sha256(self._folder / name) for name in self._written}
