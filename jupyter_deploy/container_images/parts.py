"""Files and configuration of a snapshot's image, for every builder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.artifacts.snapshots import MANIFEST
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.images.images import BENTO_FOLDER, SNAPSHOT_FOLDER
from jupyter_deploy.domain.images.ports import ImagePlan
from jupyter_deploy.environments.r_lock import r_lock

from .archive import Entry, entries_of
from .base_image import Base
from .normalization import VENV

HOME = "opt/nbdeploy/bentoml"
PORT = 8080

_LARGE = 1 << 20  # bytes from which a model's file is a layer of its own
# Folders that BentoML makes in its home, which a read-only container cannot.
_FOLDERS = ("envs", "tmp")

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# BentoML writes the present time into descriptions; a constant keeps the digest of the image.
_WRITTEN = re.compile(rb"(creation_time: )'[^'\n]*'")
_CONSTANT = rb"\g<1>'1970-01-01T00:00:00+00:00'"


@dataclass(frozen=True)
class Parts:
    """The files of an image by layer.

    Attributes
    ----------
    large
        The model's large files, each a layer of its own, with their SHA-256.
    serving
        The serving code.
    bento
        The rest of the bento.
    small
        The model's other files, which share the bento's layer. Its Python files are not compiled, so that the snapshot
        holds only captured files.
    """

    large: Sequence[tuple[Entry, str]]
    serving: Sequence[Entry]
    bento: Sequence[Entry]
    small: Sequence[Entry]


def parts_of(plan: ImagePlan) -> Parts:
    """The parts of a snapshot and its bento."""
    serving, bento = _bento(plan)
    small, large = _model(plan.snapshot)
    return Parts(large, serving, bento, small)


def _bento(plan: ImagePlan) -> tuple[list[Entry], list[Entry]]:
    """The serving code of a bento, and the rest without its Dockerfile and the like."""
    path = Path(plan.bento.path)
    serving, rest = [], _tag_entries("bentos", path, BENTO_FOLDER)
    for entry in entries_of(path, BENTO_FOLDER):
        inside = entry.name.removeprefix(f"{BENTO_FOLDER}/")
        if inside.startswith("env/") or "__pycache__" in inside or not isinstance(entry.source, Path):
            continue
        copied = Entry(entry.name, entry.source)
        if inside.startswith("src/serving/"):
            serving.append(copied)
        elif inside == "bento.yaml":
            rest.append(Entry(entry.name, _WRITTEN.sub(_CONSTANT, entry.source.read_bytes())))
        else:
            rest.append(copied)
    return serving, rest


def _model(snapshot: Snapshot) -> tuple[list[Entry], list[tuple[Entry, str]]]:
    """A snapshot's small files, and the large ones with their SHA-256, in the order of their names."""
    path = Path(snapshot.path)
    described = _WRITTEN.sub(_CONSTANT, (path / "model.yaml").read_bytes())
    small = [
        *(Entry(f"{HOME}/{folder}", None) for folder in _FOLDERS),
        *_tag_entries("models", path, SNAPSHOT_FOLDER),
        Entry(f"{SNAPSHOT_FOLDER}/model.yaml", described),
        Entry(f"{SNAPSHOT_FOLDER}/{MANIFEST}", path / MANIFEST),
    ]
    large = []
    for file, digest in sorted(snapshot.manifest.files.items()):
        entry = Entry(f"{SNAPSHOT_FOLDER}/{file}", path / file)
        if (path / file).stat().st_size >= _LARGE:
            large.append((entry, digest))
        else:
            small.append(entry)
    return small, large


def _tag_entries(store: str, path: Path, at: str) -> list[Entry]:
    """The entries of BentoML's home by which it finds a folder by tag: a link to the files, and ``latest``.

    The files have the same path in every image, so that a new version does not change unchanged layers.
    """
    name, version = path.parent.name, path.name
    return [
        Entry(f"{HOME}/{store}/{name}/{version}", f"/{at}"),
        Entry(f"{HOME}/{store}/{name}/latest", version.encode()),
    ]


def title_of(entry: Entry) -> str:
    """The title of a large file's layer."""
    return entry.name.removeprefix(f"{SNAPSHOT_FOLDER}/")


def variables(base: Base) -> dict[str, str]:
    """The variables of a container, the base's among them."""
    inherited = dict(variable.partition("=")[::2] for variable in base.config.get("config", {}).get("Env") or ())
    return inherited | {
        "PATH": f"/{VENV}/bin:{inherited.get('PATH', _PATH)}",
        "BENTOML_HOME": f"/{HOME}",
        "BENTOML_DO_NOT_TRACK": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def release_variables(plan: ImagePlan, base: Base) -> dict[str, str]:
    """The variables of a release's container.

    One has a translation served without BentoML; one gives R, which knows only ASCII without it, texts in UTF-8.
    """
    snapshot = plan.snapshot
    if r_lock(snapshot) is not None:
        return {"LANG": "C.UTF-8"} | variables(base)
    if not snapshot.manifest.environment.without_bentoml:
        return variables(base)
    folder = f"/{HOME}/models/{snapshot.tag.replace(':', '/')}"
    return variables(base) | {"NBDEPLOY_SNAPSHOT": f"{folder}@{snapshot.digest}"}


def entry_point(plan: ImagePlan) -> list[str]:
    """The command of a container."""
    bento = Path(plan.bento.path)
    program = f"/{HOME}/bentos/{bento.parent.name}/{bento.name}/src/serving/container.py"
    return [f"/{VENV}/bin/python", "-P", program]
