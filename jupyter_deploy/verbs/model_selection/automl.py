"""The verb ``automl``: a search for models of a table, which ends in the table of candidates."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput, StoreError
from jupyter_deploy.domain.model_search.ports import PreparedSearch
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.domain.model_search.search import (
    ModelSearchResult,
    SearchNote,
    Trial,
    beats_baseline,
    best_of_families,
    chosen_row,
    leaderboard,
)
from jupyter_deploy.domain.model_selection.constraints import parse_constraints
from jupyter_deploy.domain.model_selection.selection import SELECTION_MIME, CandidateModel, ModelSelection
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import ERROR_MIME, revive
from jupyter_deploy.verbs.deploy import deploy
from jupyter_deploy.verbs.interrupts import heard_once
from jupyter_deploy.verbs.steps import Steps

DEFAULT_SECONDS = 60.0


@heard_once()
def automl(request: AutomlRequest, ports: Ports, report: Report) -> ModelSearchResult:
    """Search, write and run the notebook, prove its models, measure them, and deploy the best one if that is asked.

    Raises
    ------
    InvalidInput
        The request or the table cannot be used, or no model could be fitted.
    Refused
        A model of the notebook answers in another way than the search's.
    NotebookFailed, KernelDied
        The notebook does not run.
    """
    steps = Steps(report, total=5 if request.deploy else 4)
    notebook = _notebook(request)
    exists = request.deploy is not None and ports.store.endpoint(checked_name(request.deploy)) is not None
    steps(f"reading {Path(request.data).name}")
    search = ports.model_search.prepare(request, notebook)
    gates = parse_constraints(request.budget, search.metric, has_stable=exists, priced=ports.cost is not None)
    constraints = [gate.expression for gate in gates]
    began = time.monotonic()
    trials, stopped = _search(request, search, steps)
    best = best_of_families(trials, greater_is_better=search.greater_is_better)
    if not best:
        reasons = "\n".join(f"  {one.family}: {one.why}" for one in trials)
        raise InvalidInput("the search found no model that can be fitted", "give it more time, or more rows", reasons)
    seconds = time.monotonic() - began
    steps(f"training the best of {len(trials)} models: {', '.join(one.family for one in best)}")
    with search.saved_answers(best) as answers:
        steps(f"running {notebook.name}, and measuring its models")
        endpoint = request.deploy if exists else None
        words = _words(request, search)
        text = search.notebook(best, words, constraints, endpoint, native_only=request.native_only)
        table = _run(text, notebook, answers, steps, ports)
    chosen = chosen_row(table)
    beaten = chosen is not None and beats_baseline(table, chosen)
    validation, notes = _write_validation(request, search, best, chosen, ports)
    result = ModelSearchResult(
        data=request.data,
        label=request.label_column,
        task=search.task,
        metric=search.metric,
        greater_is_better=search.greater_is_better,
        rows=search.rows,
        held_out=search.held_out,
        split=search.split,
        seed=request.seed,
        engine=request.engine,
        trials=trials,
        best=best,
        seconds=seconds,
        stopped=stopped,
        notes=(*search.notes, *notes),
        notebook=str(notebook.absolute()),
        validation=validation.path,
        proved_rows=search.held_out,
        table=table,
        chosen=chosen.label if chosen else "",
        beaten=beaten,
        why=_why(chosen, beaten=beaten),
    )
    if request.deploy is None or chosen is None or not beaten:
        return result
    steps(f"deploying {chosen.label} to {request.deploy}")
    to_deploy = DeployRequest(
        source=chosen.tag,
        name=request.deploy,
        choice=table,
        validate=(validation.path,) if validation.gates else (),
        gate=validation.gates,
        reason=request.reason,
    )
    deployed = deploy(to_deploy, ports, lambda step: steps(getattr(step, "title", "validating"), False))
    where = f"{deployed.endpoint}: {deployed.release} is {deployed.role}, {deployed.url}"
    return result.model_copy(update={"deployed": where})


def title(request: AutomlRequest) -> str:
    """Return the title of a job."""
    return f"find a model for {request.label_column} of {Path(request.data).name}"


def _notebook(request: AutomlRequest) -> Path:
    """Return the path of the notebook. Raises InvalidInput: it exists, or cannot be there."""
    path = _path(request)
    if path.suffix != ".ipynb":
        raise InvalidInput(f"'{path}' is no name of a notebook", "end it in .ipynb")
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no folder {path.parent}", "make it first, or name another notebook")
    if path.exists() and not request.replace:
        raise InvalidInput(f"{path} exists already", "name another one: --notebook PATH, or replace it: --replace")
    return path


def _path(request: AutomlRequest) -> Path:
    return Path(request.notebook or f"automl-{_slug(request.label_column)}.ipynb").expanduser()


def _search(request: AutomlRequest, search: PreparedSearch, steps: Steps) -> tuple[tuple[Trial, ...], bool]:
    """Try models until the time or the number of trials is over; after Ctrl-C the finished trials count."""
    limit = request.seconds(DEFAULT_SECONDS)
    began = time.monotonic()
    found: list[Trial] = []
    steps(f"searching by {request.engine}: {search.metric}, {search.rows:,} rows")
    try:
        for trial in _limited(search, limit, request.trials):
            found.append(trial)
            most = f" of {request.trials}" if request.trials else ""
            spent = f"{time.monotonic() - began:.0f} s" + (f" of {limit:.0f} s" if limit else "")
            board = leaderboard(found, search.metric, greater_is_better=search.greater_is_better)
            steps(f"searching, trial {trial.number}{most}, {spent}", False, board=board)
    except KeyboardInterrupt:
        if not found:
            raise
        return tuple(found), True
    return tuple(found), False


def _limited(search: PreparedSearch, seconds: float | None, most: int | None) -> Iterator[Trial]:
    deadline = None if seconds is None else time.monotonic() + seconds
    for number, trial in enumerate(search.trials(deadline), 1):
        yield trial
        if number == most or (deadline is not None and time.monotonic() > deadline):
            return


def _run(text: str, notebook: Path, answers: Path, steps: Steps, ports: Ports) -> ModelSelection:
    """Run the notebook, and return its table; its models answer as the search's."""
    cell = (
        "from jupyter_deploy.faces.kernel.automl import prove_for_command_line\n"
        f"prove_for_command_line({json.dumps({'answers': str(answers)})!r})"
    )
    title = f"running {notebook.name}"
    shown = ports.notebooks.execute(notebook, text, cell, lambda words: steps(f"{title}: {words}", False))
    if ERROR_MIME in shown:
        raise revive(shown[ERROR_MIME])
    if SELECTION_MIME not in shown:
        raise StoreError("the notebook's kernel measured nothing", "is nbdeploy installed in the kernel's environment?")
    return ModelSelection.model_validate(shown[SELECTION_MIME])


def _words(request: AutomlRequest, search: PreparedSearch) -> str:
    notes = "".join(f"\n- {note.message}" for note in search.notes)
    origin = f"{search.task} of `{request.label_column}` by {search.metric}, seed {request.seed}"
    return (
        f"`nbdeploy automl` wrote this notebook: {origin}. It trains the best model of each\nfamily on "
        f"{search.rows - search.held_out:,} rows; no training saw the other {search.held_out:,}, {search.split}.\n\n"
        "It needs no search to train again: run it from the top, or `nbdeploy deploy NOTEBOOK --model MODEL`."
        f"{notes and chr(10)}{notes}"
    )


class _Validation(NamedTuple):
    """The validation notebook, and the gates of a deploy; none: the endpoint's own count."""

    path: str = ""
    gates: tuple[str, ...] = ()


def _write_validation(
    request: AutomlRequest, search: PreparedSearch, best: Sequence[Trial], chosen: CandidateModel | None, ports: Ports
) -> tuple[_Validation, list[SearchNote]]:
    """Write the validation notebook next to the other one; an existing one stays, and is no gate of this deploy."""
    if chosen is None:
        return _Validation(), []
    notebook = _path(request)
    endpoint = request.deploy or _slug(request.label_column)
    text, gates = search.validation(best, notebook.name, endpoint, chosen.name)
    folder = notebook.parent.resolve()
    name = f"validate_{endpoint}.ipynb"
    path = str(notebook.parent.absolute() / name)
    if ports.starter.write(folder, name, text) or ports.starter.existing(folder, name) == text:
        return _Validation(path, gates), []
    words = f"{path} exists and stays as it is; it is no gate of this search's models"
    return _Validation(path), [SearchNote(severity="note", message=words, remedy="remove it to have it written anew")]


def _why(chosen: CandidateModel | None, *, beaten: bool) -> str:
    if chosen is None:
        return "no model meets the budget"
    return "" if beaten else "no model is better than the baseline beyond doubt: the columns may not tell the label"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:50] or "label"
