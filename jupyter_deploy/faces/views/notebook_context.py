"""What lies around a notebook whose model is to be deployed: a name for it, validation notebooks, what is asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.secret_names import hide_secrets
from jupyter_deploy.domain.validation.notebook_calls import calls_function
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.scaffold import name_for
from jupyter_deploy.domain.validation.scaffold_ports import ProjectNotebook
from jupyter_deploy.settings import load_settings
from jupyter_deploy.verbs.gates.endpoint_gates import listed_for
from jupyter_deploy.wiring import Wiring

from .folder_settings import settings_file
from .form_documents import LastDeploy, NearbyNotebook, NotebookContextView
from .requests import NotebookContextRequest

_BELOW = ("checks", "check", "validation", "validations", "tests")
"""Folders next to a notebook that usually hold validation notebooks."""

_MOST = 100
_RECORDS = re.compile(r"\bjupyter_deploy\b[\s\S]*\b(?:metric|check)\s*\(")


def notebook_context(request: NotebookContextRequest, ports: Ports) -> NotebookContextView:
    """The view. The folder's ``nbdeploy.yaml`` applies as it does to a job."""
    # A Lab in a home names its folder by '~'. As it is written: '..' leads out of no link.
    path = Path(os.path.normpath(Path(request.path).expanduser().absolute()))
    settings = load_settings(notebook_folder=path.parent, home=ports.home)
    around = Wiring(settings, folder=path.parent).ports
    endpoints = ports.store.endpoints()
    mine = _releases(path, endpoints)
    name = mine[-1][1] if mine else _name(path, endpoints, ports)
    known = next((one for one in endpoints if one.name == name), None)
    listed, asked = listed_for(name, around), known.validations if known else ()
    # As in a deploy: the file counts unless the endpoint has its gates from elsewhere.
    by_file = bool(listed) and not (known and asked and not _is_file(known.validations_from, path.parent))
    return NotebookContextView(
        name=name,
        endpoints={one.name: "shadow" for one in endpoints},
        owners={one.name: owner for one in endpoints if (owner := _owner(one, path))},
        notebooks=tuple(_nearby(notebook, path) for notebook in _validating(path, around)),
        gates=tuple(spec.without_secrets.words for spec in listed) if by_file else (),
        asked=() if by_file else tuple(spec.without_secrets.words for spec in asked),
        resources=known.release(known.traffic.stable).resources.overridden(settings.resources.explicit())
        if known
        else settings.resources,
        last=_last(mine[-1][0], ports) if mine else None,
        settings=settings_file(path.parent, ports.home),
    )


def _releases(path: Path, endpoints: Sequence[Endpoint]) -> list[tuple[Release, str]]:
    """Return the releases of a notebook's models with their endpoints' names, the last one at the end."""
    mine = [
        (release, one.name)
        for one in endpoints
        for release in one.releases
        if release.source.notebook and _same(Path(release.source.notebook), path)
    ]
    return sorted(mine, key=lambda pair: pair[0].created_at)


def _owner(endpoint: Endpoint, path: Path) -> str:
    """Return the name of the notebook behind the stable release; empty: it is this notebook, or unknown."""
    notebook = endpoint.release(endpoint.traffic.stable).source.notebook
    return Path(notebook).name if notebook and not _same(Path(notebook), path) else ""


def _last(release: Release, ports: Ports) -> LastDeploy | None:
    """Return the last deploy from the release's snapshot; None: the snapshot or the variable is unknown."""
    snapshot = ports.store.remembered(release.tag)
    if snapshot is None or not release.source.variable:
        return None
    captured = snapshot.manifest
    return LastDeploy(
        release=release.tag,
        at=release.created_at,
        model=release.source.variable,
        method=captured.method,
        example=captured.provenance.example,
        nullable=captured.provenance.nullable,
    )


def _name(path: Path, endpoints: Sequence[Endpoint], ports: Ports) -> str:
    """Return the name that a notebook's cells deploy to, else one of the file's that no endpoint has."""
    said = _said(path, ports)
    if said:
        return said
    name = name_for(path.name, path.parent.name)
    taken = {one.name for one in endpoints}
    return next(one for number in range(1, len(taken) + 2) if (one := _numbered(name, number)) not in taken)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file: a kernel resolves links in its folder, a server does not."""
    return one.name == other.name and one.resolve() == other.resolve()


def _is_file(name: str, folder: Path) -> bool:
    """Whether a name is that of the folder's ``nbdeploy.yaml``."""
    return bool(name) and _same(Path(name), folder / "nbdeploy.yaml")


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name[:59]}-{number}"


def _said(path: Path, ports: Ports) -> str | None:
    """The name under which its cells deploy a model last."""
    try:
        notebook = ProjectNotebook(path.name, ports.notebooks.cells(path), None)
        return next((one.name for one in reversed(ports.starter.deployed(notebook))), None)
    except DeployError:  # not saved yet, or no notebook
        return None


def _validating(path: Path, ports: Ports) -> Iterator[Notebook]:
    """The notebooks near it that validate a model: in its folder, and in those below that are called so."""
    for place in _places(path, ports)[:_MOST]:
        try:
            notebook = ports.validations.read(place)
        except DeployError:  # who runs it will say what is wrong with it
            continue
        if (
            Path(place).parent != path.parent
            or calls_function("model", notebook.source)
            or _RECORDS.search(notebook.source)
        ):
            yield notebook


def _places(path: Path, ports: Ports) -> list[str]:
    folder = path.parent
    if not folder.is_dir():
        return []
    found = [
        str(one)
        for one in sorted(folder.glob("*.ipynb"))
        if one != path and not one.name.startswith(".") and (ports.project.validates(one) or _mentions(one))
    ]
    for below in _BELOW:
        try:
            found += ports.project.notebooks(str(folder / below)) if (folder / below).is_dir() else []
        except DeployError:  # none in it
            continue
    return found


def _mentions(path: Path) -> bool:
    """Whether it may record something: a quick look, before it is read."""
    try:
        return b"jupyter_deploy" in path.read_bytes()
    except OSError:
        return False


def _nearby(notebook: Notebook, path: Path) -> NearbyNotebook:
    parameters: dict[str, Any] = json.loads(json.dumps(dict(notebook.defaults or {}), default=str))
    return NearbyNotebook(
        path=str(notebook.path),
        title=_title(notebook),
        of=_of(notebook.path.stem, path),
        gates=notebook.gates,
        parameters={name: hide_secrets(name, value) for name, value in parameters.items()},
    )


def _of(stem: str, path: Path) -> str:
    """Of the other notebooks in the folder the one that is named in ``stem``, as ``wine`` is in ``validate_wine``."""
    words = _words(stem)
    if _words(path.stem) in words:
        return ""
    others = [one.name for one in path.parent.glob("*.ipynb") if one.stem != stem and _words(one.stem) in words]
    return max(others, key=len, default="")


def _words(stem: str) -> str:
    """Its words, each with a space at both ends: so that one name is found in another by whole words alone."""
    return f" {' '.join(re.findall('[a-z0-9]+', stem.lower()))} "


def _title(notebook: Notebook) -> str:
    """Its first heading, else the file's name."""
    for cell in (notebook.document or {}).get("cells", ()):
        if cell["cell_type"] == "markdown":
            heading = re.search(r"(?m)^#{1,3}\s+(.+?)\s*#*$", "".join(cell["source"]))
            if heading:
                return heading[1]
    return notebook.path.stem
