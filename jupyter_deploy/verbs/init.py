"""The verb ``init``: the files of a project whose models are validated in CI, at each commit and by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_deploy.domain.capture.artifacts import Manifest, checked_name
from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.validation.requests import InitRequest
from jupyter_deploy.domain.validation.scaffold import SetUp, StartingFile, Trained, name_for
from jupyter_deploy.domain.validation.scaffold_ports import Draft, ProjectNotebook, Starting

_DEFAULT_GATEWAY = "127.0.0.1:8780"

_TO_DO = (
    "alertmanager.yml has no receiver yet: complete one of its last lines",
    "the gateway listens on this machine's loopback address alone, so Prometheus must run on this machine",
)


def init(request: InitRequest, ports: Ports, report: Report) -> SetUp:
    """Read the project, write the missing files, and return the next steps."""
    del report
    folder = Path(request.folder).expanduser()
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {request.folder}", "name the project's folder, or make it first")
    top, in_repository = (folder.resolve(), True) if request.without_ci else ports.starter.top(folder.resolve())
    if request.monitoring:
        return _monitoring(request, top, ports)
    notebooks = ports.starter.notebooks(top)
    released = _released(top, ports)
    trained = _trained(request, top, notebooks, released, ports)
    start = _start(top, trained, notebooks, released, ports)
    drafts = [one for one in ports.starter.drafts(start) if not request.without_ci or _is_local(one)]
    files = tuple(_put(draft, top, ports, dry_run=request.dry_run) for draft in drafts)
    return SetUp(
        folder=str(top),
        files=files,
        trained=tuple(trained),
        validating={name: tuple(notebooks) for name, notebooks in start.validated.items()},
        notes=(*_notes(top, trained, files, in_repository=in_repository), *(d.note for d in drafts if d.note)),
        dry_run=request.dry_run,
    )


def _monitoring(request: InitRequest, top: Path, ports: Ports) -> SetUp:
    if request.notebook or request.name or request.model or request.example:
        raise InvalidInput("--monitoring is of all endpoints, and needs no notebook", "give no other option")
    drafts = ports.starter.monitoring(_gateway(ports))
    files = tuple(_put(draft, top, ports, dry_run=request.dry_run) for draft in drafts)
    return SetUp(folder=str(top), files=files, notes=_TO_DO, monitoring=True, dry_run=request.dry_run)


def _gateway(ports: Ports) -> str:
    """Return HOST:PORT of the gateway of a running endpoint, else of the default one."""
    for endpoint in ports.store.endpoints():
        shared = ports.targets[endpoint.target].shared is not None  # its gateway has no metrics of all releases
        if endpoint.running and not shared and (url := ports.targets[endpoint.target].observe(endpoint).url):
            return urlsplit(url).netloc
    return _DEFAULT_GATEWAY


def _is_local(draft: Draft) -> bool:
    """Whether a file is of use without CI."""
    return draft.path.endswith(".ipynb") or draft.path == "nbdeploy.yaml"


def _put(draft: Draft, top: Path, ports: Ports, *, dry_run: bool) -> StartingFile:
    existing = ports.starter.existing(top, draft.path)
    try:
        if existing is None and not dry_run and not ports.starter.write(top, draft.path, draft.text):
            existing = ports.starter.existing(top, draft.path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InvalidInput(
            f"{top / draft.path} cannot be written: {error.strerror}", "the files written before it stay; run it again"
        ) from error
    if existing is None:
        return StartingFile(path=draft.path, state="would be written" if dry_run else "written", text=draft.text)
    if existing == draft.text:
        return StartingFile(path=draft.path, state="unchanged", text=draft.text)
    add = "" if draft.mark and draft.mark in existing else draft.add
    return StartingFile(path=draft.path, state="kept", text=draft.text, add=add)


def _released(top: Path, ports: Ports) -> dict[str, Release]:
    """The stable release of each endpoint whose model came from a notebook of the project, by the endpoint's name."""
    released = {}
    for endpoint in ports.store.endpoints():
        release = endpoint.release(endpoint.traffic.stable)
        if release.source.is_known and Path(str(release.source.notebook)).is_relative_to(top):
            released[endpoint.name] = release
    return released


def _trained(
    request: InitRequest, top: Path, notebooks: Sequence[ProjectNotebook], released: dict[str, Release], ports: Ports
) -> list[Trained]:
    """Return the requested model; else the models that cells deploy, that are deployed, or the only fitted one."""
    if request.notebook is not None:
        chosen = _chosen(request.notebook, top, notebooks)
        models = [_with_request(request, one) for one in _known(chosen, top, released, ports)]
        return models or [_guessed(request, chosen, top, ports)]
    if request.name or request.model or request.example:
        raise InvalidInput("--name, --model and --example need a notebook", "add --notebook, such as train.ipynb")
    training = [notebook for notebook in notebooks if not notebook.validates]
    if models := [one for notebook in training for one in _known(notebook, top, released, ports)]:
        return list({one.name: one for one in models}.values())
    fitting = [notebook for notebook in training if ports.starter.fitted(notebook) is not None]
    if len(fitting) > 1 or (training and not fitting):
        names = ", ".join(notebook.path for notebook in fitting or training)
        raise InvalidInput(
            f"no notebook deploys a model, and none or several fit one: {names}",
            "name one: nbdeploy init --notebook train.ipynb --model model --example 'X_test[:5]', or add '%deploy "
            "model --name NAME --example …' to it",
        )
    return [_guessed(request, fitting[0], top, ports) if fitting else ports.starter.example]


def _chosen(name: str, top: Path, notebooks: Sequence[ProjectNotebook]) -> ProjectNotebook:
    relative = os.path.relpath(Path(name).expanduser().resolve(), top)
    for notebook in notebooks:
        if notebook.path in (relative, name):
            return notebook
    raise UnknownSource(
        f"{name} is no notebook of {top}",
        "check that the path is relative to this folder, and that git does not ignore it",
    )


def _known(notebook: ProjectNotebook, top: Path, released: dict[str, Release], ports: Ports) -> list[Trained]:
    """Return the models that a notebook's cells deploy, and those that were deployed from it otherwise.

    The example is that of the last deploy, or a guess.
    """
    models = ports.starter.deployed(notebook)
    names = {one.name for one in models}
    for name, release in released.items():
        if name in names or Path(str(release.source.notebook)) != top / notebook.path:
            continue
        variable = str(release.source.variable)
        snapshot = ports.store.remembered(release.tag)
        example = snapshot.manifest.provenance.example if snapshot else None
        if example is not None:
            options = _options(snapshot.manifest) if snapshot else ()
            known = Trained(notebook=notebook.path, name=name, model=variable, example=example, options=options)
            models.append(known)
        elif (fitted := ports.starter.fitted(notebook, variable)) is not None:
            models.append(Trained(notebook=notebook.path, name=name, model=variable, example=fitted[1], guessed=True))
    return models


def _options(captured: Manifest) -> tuple[str, ...]:
    """Return the options of a deploy that are not the defaults."""
    method = ("--method", captured.method) if captured.method not in (None, "predict") else ()
    return (*method, *(word for column in captured.provenance.nullable for word in ("--nullable", column)))


def _guessed(request: InitRequest, notebook: ProjectNotebook, top: Path, ports: Ports) -> Trained:
    fitted = ports.starter.fitted(notebook, request.model)
    model, example = request.model or (fitted or ("", ""))[0], request.example or (fitted or ("", ""))[1]
    if not (model and example):
        missing = " and ".join(option for option, value in (("--model", model), ("--example", example)) if not value)
        raise InvalidInput(
            f"{notebook.path} names no model to deploy",
            f"give {missing}, such as --model model --example 'X_test[:5]'",
        )
    name = checked_name(request.name) if request.name else name_for(notebook.path, top.name)
    guessed = not (request.model and request.example)
    return Trained(notebook=notebook.path, name=name, model=model, example=example, guessed=guessed)


def _with_request(request: InitRequest, one: Trained) -> Trained:
    """Return the model with the values of the request in place of its own."""
    requested = {
        "name": request.name and checked_name(request.name),
        "model": request.model,
        "example": request.example,
    }
    changes = {name: value for name, value in requested.items() if value}
    return one.model_copy(update={**changes, "guessed": one.guessed and not request.example})


def _start(
    top: Path,
    trained: Sequence[Trained],
    notebooks: Sequence[ProjectNotebook],
    released: dict[str, Release],
    ports: Ports,
) -> Starting:
    names = {one.name for one in trained}
    validating = {n.path: _endpoint_of(n) for n in notebooks if n.validates}
    regression = {}
    for name in names & released.keys():
        snapshot = ports.store.remembered(released[name].tag)
        answers = snapshot.manifest.predictions if snapshot else []
        if answers:
            regression[name] = all(isinstance(answer, float) for answer in answers)
    return Starting(
        top=str(top),
        trained=trained,
        # In CI no other endpoint exists, so validations of endpoints that no notebook deploys cannot run.
        validating={path: name for path, name in validating.items() if name is None or name in names},
        regression=regression,
        cells={n.path: n.cells for n in notebooks},
    )


def _endpoint_of(notebook: ProjectNotebook) -> str | None:
    """Return the endpoint in a validation notebook's parameters."""
    match = re.search(r"""^endpoint\s*(?::[^=\n]*)?=\s*["']([^"'\n]+)["']""", notebook.parameters or "", re.MULTILINE)
    return match[1] if match else None


def _notes(top: Path, trained: Sequence[Trained], files: Sequence[StartingFile], *, in_repository: bool) -> list[str]:
    notes = [
        f"{one.notebook} does not deploy its model; assumed: {one.command}. If that is wrong, correct it "
        "in the workflow"
        for one in trained
        if one.guessed
    ]
    if not in_repository:
        notes.append(f"{top} is no git repository yet: 'git init' makes it one, which the hook and the workflow need")
    if (top / "environment.yml").is_file() and any(file.path == "requirements.txt" for file in files):
        notes.append("environment.yml is not read: the workflow installs what requirements.txt names")
    return notes
