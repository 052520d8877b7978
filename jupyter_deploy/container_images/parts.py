"""What is in an image of a snapshot, and what the image says of itself, whoever builds it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.artifacts.snapshots import MANIFEST
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.images.images import BENTO_FOLDER, SNAPSHOT_FOLDER
from jupyter_deploy.domain.images.ports import ImagePlan

from .archive import Entry, entries_of
from .base_image import Base
from .normalization import VENV

HOME = "opt/nbdeploy/bentoml"
PORT = 8080

_LARGE = 1 << 20  # bytes from which on a model's file is a layer of its own
# What BentoML makes in its home when it is asked for anything; in a container it may not be able to.
_FOLDERS = ("envs", "tmp")

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# BentoML notes when it wrote a description: that is when the snapshot was captured, or the digest would change.
_WRITTEN = re.compile(rb"(creation_time: )'[^'\n]*'")


@dataclass(frozen=True)
class Parts:
    """The files of an image, a layer after the other.

    Attributes
    ----------
    large
        The model's large files, each a layer of its own, with their SHA-256.
    serving
        The serving code.
    bento
        The rest of the bento.
    small
        The model's other files, which share the bento's layer. What of them is Python is not compiled: in a snapshot
        there is only what was captured.
    """

    large: Sequence[tuple[Entry, str]]
    serving: Sequence[Entry]
    bento: Sequence[Entry]
    small: Sequence[Entry]


def parts_of(plan: ImagePlan) -> Parts:
    """Of a snapshot and its bento."""
    serving, bento = _bento(plan)
    small, large = _model(plan.snapshot)
    return Parts(large, serving, bento, small)


def _bento(plan: ImagePlan) -> tuple[list[Entry], list[Entry]]:
    """The serving code in a bento, and the rest of it; what describes other ways to an image stays behind."""
    path = Path(plan.bento.path)
    captured = _captured(plan.snapshot)
    serving, rest = [], _placed("bentos", path, BENTO_FOLDER)
    for entry in entries_of(path, BENTO_FOLDER):
        inside = entry.name.removeprefix(f"{BENTO_FOLDER}/")
        if inside.startswith("env/") or "__pycache__" in inside or not isinstance(entry.source, Path):
            continue
        one = Entry(entry.name, entry.source)
        if inside.startswith("src/serving/"):
            serving.append(one)
        elif inside == "bento.yaml":
            rest.append(Entry(entry.name, _WRITTEN.sub(captured, entry.source.read_bytes())))
        else:
            rest.append(one)
    return serving, rest


def _model(snapshot: Snapshot) -> tuple[list[Entry], list[tuple[Entry, str]]]:
    """A snapshot's small files, and the large ones with their SHA-256, in the order of their names."""
    path = Path(snapshot.path)
    described = _WRITTEN.sub(_captured(snapshot), (path / "model.yaml").read_bytes())
    small = [
        *(Entry(f"{HOME}/{folder}", None) for folder in _FOLDERS),
        *_placed("models", path, SNAPSHOT_FOLDER),
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


def _placed(store: str, path: Path, at: str) -> list[Entry]:
    """How BentoML finds a folder by its tag: in its home there is a link to where the files are.

    They have the same place in every image: else a new version would make each layer another one.
    """
    name, version = path.parent.name, path.name
    return [
        Entry(f"{HOME}/{store}/{name}/{version}", f"/{at}"),
        Entry(f"{HOME}/{store}/{name}/latest", version.encode()),
    ]


def _captured(snapshot: Snapshot) -> bytes:
    return rb"\g<1>'" + snapshot.manifest.provenance.captured_at.isoformat().encode() + b"'"


def title_of(entry: Entry) -> str:
    """What a large file's layer is called."""
    return entry.name.removeprefix(f"{SNAPSHOT_FOLDER}/")


def variables(base: Base) -> dict[str, str]:
    """The variables of a container, the base's among them."""
    inherited = dict(one.partition("=")[::2] for one in base.config.get("config", {}).get("Env") or ())
    return inherited | {
        "PATH": f"/{VENV}/bin:{inherited.get('PATH', _PATH)}",
        "BENTOML_HOME": f"/{HOME}",
        "BENTOML_DO_NOT_TRACK": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def entry_point(plan: ImagePlan) -> list[str]:
    """The command of a container."""
    bento = Path(plan.bento.path)
    program = f"/{HOME}/bentos/{bento.parent.name}/{bento.name}/src/serving/container.py"
    return [f"/{VENV}/bin/python", "-P", program]
