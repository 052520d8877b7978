"""``init``: the files by which a project's models are validated in CI, at each commit and by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.validation.requests import InitRequest
from jupyter_deploy.domain.validation.scaffold import SetUp, StartingFile, Trained, name_for
from jupyter_deploy.domain.validation.scaffold_ports import Draft, ProjectNotebook, Starting


def init(request: InitRequest, ports: Ports, report: Report) -> SetUp:
    """Look at the project, write what is not there yet, and say what to do next."""
    del report
    folder = Path(request.folder).expanduser()
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {request.folder}", "name the project's folder, or make it first")
    top, in_repository = ports.starter.top(folder.resolve())
    notebooks = ports.starter.notebooks(top)
    released = _released(top, ports)
    trained = _trained(request, top, notebooks, released, ports)
    start = _start(top, trained, notebooks, released, ports)
    drafts = ports.starter.drafts(start)
    files = tuple(_put(draft, top, ports, dry_run=request.dry_run) for draft in drafts)
    return SetUp(
        folder=str(top),
        files=files,
        trained=tuple(trained),
        validating={name: tuple(notebooks) for name, notebooks in start.validated.items()},
        notes=(*_notes(top, trained, files, in_repository=in_repository), *(d.note for d in drafts if d.note)),
        dry_run=request.dry_run,
    )


def _put(draft: Draft, top: Path, ports: Ports, *, dry_run: bool) -> StartingFile:
    there = ports.starter.existing(top, draft.path)
    try:
        if there is None and not dry_run and not ports.starter.write(top, draft.path, draft.text):
            there = ports.starter.existing(top, draft.path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InvalidInput(
            f"{top / draft.path} cannot be written: {error.strerror}", "what was written before it stays; run it again"
        ) from error
    if there is None:
        return StartingFile(path=draft.path, state="would be written" if dry_run else "written", text=draft.text)
    if there == draft.text:
        return StartingFile(path=draft.path, state="as it is wanted", text=draft.text)
    add = "" if draft.mark and draft.mark in there else draft.add
    return StartingFile(path=draft.path, state="left as it is", text=draft.text, add=add)


def _released(top: Path, ports: Ports) -> dict[str, Release]:
    """The stable release of each endpoint whose model came from a notebook of the project, by the endpoint's name."""
    found = {}
    for endpoint in ports.store.endpoints():
        release = endpoint.release(endpoint.traffic.stable)
        if release.source.is_known and Path(str(release.source.notebook)).is_relative_to(top):
            found[endpoint.name] = release
    return found


def _trained(
    request: InitRequest, top: Path, notebooks: Sequence[ProjectNotebook], released: dict[str, Release], ports: Ports
) -> list[Trained]:
    """What the request names; else all that cells deploy, that was deployed, or that alone is fitted here."""
    if request.notebook is not None:
        chosen = _chosen(request.notebook, top, notebooks)
        found = [_told(request, one) for one in _known(chosen, top, released, ports)]
        return found or [_guessed(request, chosen, top, ports)]
    if request.name or request.model or request.example:
        raise InvalidInput(
            "of which notebook? --name, --model and --example belong to one", "add --notebook, such as train.ipynb"
        )
    training = [notebook for notebook in notebooks if not notebook.validates]
    if found := [one for notebook in training for one in _known(notebook, top, released, ports)]:
        return list({one.name: one for one in found}.values())
    fitting = [notebook for notebook in training if ports.starter.fitted(notebook) is not None]
    if len(fitting) > 1 or (training and not fitting):
        names = ", ".join(notebook.path for notebook in fitting or training)
        raise InvalidInput(
            f"which notebook trains the model? None deploys one; there are {names}",
            "name it: nbdeploy init --notebook train.ipynb --model model --example 'X_test[:5]', or add '%deploy model "
            "--name NAME --example …' to it",
        )
    return [_guessed(request, fitting[0], top, ports) if fitting else ports.starter.example]


def _chosen(name: str, top: Path, notebooks: Sequence[ProjectNotebook]) -> ProjectNotebook:
    wanted = os.path.relpath(Path(name).expanduser().resolve(), top)
    for notebook in notebooks:
        if notebook.path in (wanted, name):
            return notebook
    raise UnknownSource(f"{name} is no notebook of {top}", "is it a path from here, and not ignored by git?")


def _known(notebook: ProjectNotebook, top: Path, released: dict[str, Release], ports: Ports) -> list[Trained]:
    """The models that a notebook deploys by its cells, and those that were deployed from it, with a guessed example."""
    found = ports.starter.deployed(notebook)
    told = {one.name for one in found}
    for name, release in released.items():
        if name in told or Path(str(release.source.notebook)) != top / notebook.path:
            continue
        variable = str(release.source.variable)
        if (fitted := ports.starter.fitted(notebook, variable)) is not None:
            found.append(Trained(notebook=notebook.path, name=name, model=variable, example=fitted[1], guessed=True))
    return found


def _guessed(request: InitRequest, notebook: ProjectNotebook, top: Path, ports: Ports) -> Trained:
    fitted = ports.starter.fitted(notebook, request.model)
    model, example = request.model or (fitted or ("", ""))[0], request.example or (fitted or ("", ""))[1]
    if not (model and example):
        missing = " and ".join(option for option, value in (("--model", model), ("--example", example)) if not value)
        raise InvalidInput(
            f"{notebook.path} does not say what it deploys",
            f"give {missing}, such as --model model --example 'X_test[:5]'",
        )
    name = checked_name(request.name) if request.name else name_for(notebook.path, top.name)
    guessed = not (request.model and request.example)
    return Trained(notebook=notebook.path, name=name, model=model, example=example, guessed=guessed)


def _told(request: InitRequest, one: Trained) -> Trained:
    """With what the request says instead."""
    said = {"name": request.name and checked_name(request.name), "model": request.model, "example": request.example}
    given = {name: value for name, value in said.items() if value}
    return one.model_copy(update={**given, "guessed": one.guessed and not request.example})


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
        # One of an endpoint that no notebook here deploys could not be run where nothing else is.
        validating={path: name for path, name in validating.items() if name is None or name in names},
        regression=regression,
        cells={n.path: n.cells for n in notebooks},
    )


def _endpoint_of(notebook: ProjectNotebook) -> str | None:
    """Whose model a validation notebook asks for, as its parameters say."""
    said = re.search(r"""^endpoint\s*(?::[^=\n]*)?=\s*["']([^"'\n]+)["']""", notebook.parameters or "", re.MULTILINE)
    return said[1] if said else None


def _notes(top: Path, trained: Sequence[Trained], files: Sequence[StartingFile], *, in_repository: bool) -> list[str]:
    notes = [
        f"{one.notebook} does not say how its model is deployed; taken to be: {one.command}. If that is wrong, mend it "
        "in the workflow"
        for one in trained
        if one.guessed
    ]
    if not in_repository:
        notes.append(f"{top} is no git repository yet: 'git init' makes it one, which the hook and the workflow need")
    if (top / "environment.yml").is_file() and any(file.path == "requirements.txt" for file in files):
        notes.append("environment.yml is not read: the workflow installs what requirements.txt names")
    return notes
