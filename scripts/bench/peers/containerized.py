"""BentoML's own way to an image: a project as its documentation shows one, and ``bentoml containerize``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from uv import find_uv_bin

from jupyter_deploy.environments.installer import pips_settings, uvs_settings
from tests.images import Engine

_BASE, _NAME = "localhost/bench-base:1", "localhost/bench-peer:1"
_CERTIFICATES = "/etc/ssl/certs"

# 'distro' says that the base needs no compilers, which would make more than half of the image.
_SERVICE = f"""
import bentoml, joblib, pandas as pd

image = bentoml.images.Image(base_image="{_BASE}", distro="none").python_packages("scikit-learn", "pandas", "joblib")

@bentoml.service(image=image)
class Peer:
    model_ref = bentoml.models.BentoModel("peer:latest")
    def __init__(self):
        self.model = joblib.load(self.model_ref.path_of("model.joblib"))
    @bentoml.api
    def predict(self, instances: list[dict]) -> list[int]:
        return self.model.predict(pd.DataFrame(instances)).tolist()
"""
SAVE = """
import bentoml, joblib
with bentoml.models.create("peer") as ref:
    joblib.dump(%s, ref.path_of("model.joblib"))
"""
"""Of a model in a kernel whose BentoML home is the peer's."""


class Containerized:
    """A project with its bento, and podman, in whose storage there is the base with uv, so that nothing installs that.

    Both package caches, the kernel's and the one that a build sees, are on this machine.
    """

    def __init__(self, folder: Path, engine: Engine, base: str, environment: dict[str, str]) -> None:
        self._folder, self._engine = folder, engine
        self._environment = engine.environment | {
            name: environment[name] for name in ("BENTOML_HOME", "BENTOML_DO_NOT_TRACK")
        }
        folder.mkdir()
        (folder / "service.py").write_text(_SERVICE)
        (folder / "uv").mkdir()
        shutil.copy(find_uv_bin(), folder / "uv")
        image = engine.run("pull", "--quiet", base).splitlines()[-1]
        (folder / "uv" / "Containerfile").write_text(f"FROM {image}\nCOPY uv /usr/local/bin/uv\n")
        engine.run("build", "--tag", _BASE, folder / "uv")

    def build(self) -> None:
        """The bento, with what it needs locked."""
        self._bentoml("build")

    def containerize(self) -> float:
        """Seconds from the bento to the image ``name``, with nothing left of an earlier one."""
        self._engine.run("rmi", "--force", _NAME, check=False)
        self._engine.run("image", "prune", "--force")
        cache = self._folder / "cache"
        cache.mkdir(exist_ok=True)
        settings = uvs_settings(pips_settings())
        settings.pop("UV_FIND_LINKS", None)  # torch's, in folders that a build does not see
        options = [f"volume={_CERTIFICATES}:{_CERTIFICATES}:ro", f"volume={cache}:/root/.cache/uv"]
        options += [f"env={name}={value}" for name, value in settings.items()]
        began = time.perf_counter()
        self._bentoml(
            "containerize", "--backend", "podman", "--image-tag", _NAME,
            *(word for option in options for word in ("--opt", option)), "peer:latest",
        )  # fmt: skip
        return time.perf_counter() - began

    def push(self, place: str) -> float:
        """Seconds that podman takes to send the image to a registry on this machine."""
        began = time.perf_counter()
        self._engine.run("push", "--quiet", "--tls-verify=false", _NAME, place)
        return time.perf_counter() - began

    def _bentoml(self, *arguments: str) -> None:
        program = Path(sys.executable).parent / "bentoml"
        ended = subprocess.run(
            [program, *arguments], cwd=self._folder, env=os.environ | self._environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"bentoml {arguments[0]}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
