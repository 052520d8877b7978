"""A choice among models: each is captured as a deploy captures it, measured in a clean process, and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.translation import TRANSLATED, ServedEngine
from jupyter_deploy.domain.errors import DeployError, InvalidInput, StoreError
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.model_selection.constraints import judged
from jupyter_deploy.domain.model_selection.ports import Measured
from jupyter_deploy.domain.model_selection.requests import CandidatesRequest
from jupyter_deploy.domain.model_selection.selection import (
    SELECTION_MIME,
    STABLE,
    Calibration,
    CandidateModel,
    Fits,
    GroupScore,
    LeftOut,
    ModelSelection,
)
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.verbs.capture import ERROR_MIME, capture, is_notebook, load_release, revive
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.steps import Steps

LEVEL = 0.95
MOST_NAMED = 3


@dataclass(frozen=True)
class Contender:
    """A live model of a choice.

    Attributes
    ----------
    snapshot_name
        The name of its snapshots.
    method
        The method that is served; None: the model itself is called.
    calibration
        Of its probabilities in the notebook; None: it has none.
    fits
        The spread over several fits, of which it is the first one; None: there are no others.
    """

    name: str
    snapshot_name: str
    live: Live
    method: str | None = None
    calibration: Calibration | None = None
    fits: Fits | None = None


@dataclass(frozen=True)
class SelectionTask:
    """What a choice compares, and on which rows.

    Attributes
    ----------
    encode
        Returns the rows of the data as instances of a signature.
    score
        Returns the metric of answers, over all rows first, then over each subgroup.
    engines
        The engines of each contender.
    endpoint
        The endpoint whose stable release is measured too; empty: none.
    cost
        The price of a core-hour; None: it is not known.
    calibrate
        Returns the calibration of answers; None: they are no probabilities, and the contender's own counts.
    classes
        The classes of the answers' columns; empty: an answer is one value, or the metric reads no classes.
    """

    contenders: Sequence[Contender]
    encode: Callable[[Snapshot], Sequence[Any]]
    score: Callable[[Sequence[Any], Snapshot], Sequence[Metric]]
    metric: str
    greater_is_better: bool
    rows: int
    engines: Sequence[ServedEngine] = ("native", TRANSLATED)
    constraints: Sequence[Gate] = ()
    endpoint: str = ""
    method: str | None = None
    cost: float | None = None
    calibrate: Callable[[Sequence[Any], Snapshot], Calibration | None] = lambda *_: None
    classes: Sequence[Any] = ()


@dataclass(frozen=True)
class _Entry:
    name: str
    engine: ServedEngine
    snapshot: Snapshot
    calibration: Calibration | None = None
    fits: Fits | None = None


def select_models(task: SelectionTask, ports: Ports, report: Report) -> ModelSelection:
    """Make the table of a choice.

    Raises
    ------
    UnknownEndpoint
        ``task.endpoint`` does not exist.
    InvalidInput
        The stable release serves another method, or no contender can be deployed; the details have each one's reason.
    TargetError
        A model raises on the rows.
    """
    stable = _stable(task, ports)
    ports.store.check()
    ports.capturer.check()
    steps = Steps(report, total=len(task.contenders) * len(task.engines) + 2)
    entries, left_out = _captured(task, ports, steps)
    if not entries:
        details = "\n".join(f"  {one.name} ({one.engine}): {one.why}" for one in left_out)
        raise InvalidInput("none of the models can be deployed", "correct what each of them needs", details)
    instances = [task.encode(entry.snapshot) for entry in entries]
    if stable:
        try:
            instances.append(task.encode(stable.snapshot))
            entries.append(stable)
        except DeployError as error:
            left_out.append(_left_out(stable, error.message))
    steps(f"measuring {len(entries)} models")
    measured = ports.measurer.measure(
        [entry.snapshot for entry in entries], instances, lambda words: steps(f"measuring: {words}", False)
    )
    steps("comparing their scores")
    scored = _scored(task, entries, measured, left_out)
    rows = _rows(task, scored, ports)
    return ModelSelection(
        metric=task.metric,
        greater_is_better=task.greater_is_better,
        rows_of_data=task.rows,
        level=LEVEL,
        endpoint=task.endpoint,
        core_hour=task.cost,
        processor=ports.measurer.processor,
        constraints=tuple(gate.expression for gate in task.constraints),
        candidates=judged(rows, task.constraints, task.metric, greater_is_better=task.greater_is_better),
        left_out=tuple(left_out),
        at=now(),
    )


def _stable(task: SelectionTask, ports: Ports) -> _Entry | None:
    if not task.endpoint:
        return None
    endpoint = find(ports, task.endpoint)
    tag = endpoint.traffic.stable
    snapshot = load_release(endpoint.release(tag), ports)
    served, methods = snapshot.manifest.method, {contender.method for contender in task.contenders}
    if None not in (served, *methods) and served not in methods:
        named = ", ".join(sorted(f"'{method}'" for method in methods))
        raise InvalidInput(
            f"the stable release {tag} of {task.endpoint} serves '{served}', and the models {named}",
            f"compare its method, method='{served}', or leave out the endpoint",
        )
    engine: ServedEngine = "native" if snapshot.manifest.translation is None else TRANSLATED
    return _Entry(STABLE, engine, snapshot)


def _captured(task: SelectionTask, ports: Ports, steps: Steps) -> tuple[list[_Entry], list[LeftOut]]:
    entries: list[_Entry] = []
    left_out: list[LeftOut] = []
    each, total = len(task.engines), len(task.contenders) * len(task.engines)
    for place, contender in enumerate(task.contenders):
        for number, engine in enumerate(task.engines, place * each + 1):
            steps(f"candidate {number} of {total}: {contender.name} ({engine})")
            request = DeployRequest(name=contender.snapshot_name, method=task.method, engine=engine)
            live = replace(contender.live, engine=engine)
            try:
                snapshot = capture(live, contender.snapshot_name, request, ports, lambda *_: None)
            except DeployError as error:
                left_out.append(LeftOut(name=contender.name, engine=engine, why=error.message))
                if engine == "native":
                    break  # what cannot be captured natively cannot be translated
                continue
            calibration = contender.calibration if engine == "native" else None
            entries.append(_Entry(contender.name, engine, snapshot, calibration, contender.fits))
    return entries, left_out


def _left_out(entry: _Entry, why: str) -> LeftOut:
    return LeftOut(name=entry.name, engine=entry.engine, why=why)


_Scored = tuple[_Entry, Measured, Sequence[Metric]]


def _scored(
    task: SelectionTask, entries: Sequence[_Entry], measured: Sequence[Measured], left_out: list[LeftOut]
) -> list[_Scored]:
    """Score the answers; a stable release that cannot be compared is added to ``left_out``."""
    known: dict[str, Sequence[Metric]] = {}
    found: list[_Scored] = []
    for entry, one in zip(entries, measured, strict=True):
        key = repr(one.answers)  # a translation's answers are mostly its original's: they are scored once
        try:
            if entry.name == STABLE:
                _require_classes(task, one)
            if key not in known:
                known[key] = task.score(one.answers, entry.snapshot)
        except DeployError as error:
            if entry.name != STABLE:
                raise
            left_out.append(_left_out(entry, error.message))
        else:
            found.append((entry, one, known[key]))
    return found


def _require_classes(task: SelectionTask, measured: Measured) -> None:
    """Raise InvalidInput for columns of other classes, or in another order, than those of the models."""
    expected = tuple(map(repr, task.classes))
    if expected and measured.classes not in (None, expected):
        theirs = ", ".join(measured.classes or ())
        raise InvalidInput(
            f"its classes are {theirs}, and those of the models {', '.join(expected)}", "fit them on the same y"
        )


def _rows(task: SelectionTask, scored: Sequence[_Scored], ports: Ports) -> list[CandidateModel]:
    entries, measured, metrics = zip(*scored, strict=True)
    wholes = [several[0] for several in metrics]
    pair = ports.score_intervals.simultaneous(wholes, LEVEL)
    sign = 1 if task.greater_is_better else -1
    best = max(range(len(entries)), key=lambda place: sign * wholes[place].value)
    stable = next((place for place, entry in enumerate(entries) if entry.name == STABLE), None)
    return [
        CandidateModel(
            name=entry.name,
            engine=entry.engine,
            tag=entry.snapshot.tag,
            score=ports.score_intervals.estimate(wholes[place]),
            against_best=None if wholes[place] is wholes[best] else pair(place, best),
            against_stable=None if stable in (None, place) else pair(place, stable or 0),
            groups=tuple(
                GroupScore(group=one.group, rows=one.n or 0, score=ports.score_intervals.estimate(one))
                for one in metrics[place][1:]
            ),
            performance=measured[place].performance,
            artifact_mb=measured[place].artifact_bytes / 1e6,
            libraries_mb=_megabytes(measured[place].library_bytes),
            cost_per_million=_cost(task.cost, measured[place]),
            calibration=task.calibrate(measured[place].answers, entry.snapshot) or entry.calibration,
            fits=entry.fits,
        )
        for place, entry in enumerate(entries)
    ]


def _megabytes(size: int | None) -> float | None:
    return None if size is None else size / 1e6


def _cost(core_hour: float | None, measured: Measured) -> float | None:
    """Return the price of a million predictions of one row each, on a core without pauses."""
    if core_hour is None:
        return None
    return core_hour / 3600 * 1e6 / measured.performance.predictions_per_second.median


def require_models(models: Mapping[str, Any]) -> None:
    """Raise InvalidInput for names that no row can have, or if there are no models."""
    if not models:
        raise InvalidInput("there are no models to choose among", 'write candidates({"logit": m1, "forest": m2}, X, y)')
    for name in models:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput(f"{name!r} cannot name a model", "give each model a short name")
        if name == STABLE:
            raise InvalidInput("'stable' is the row of the endpoint's stable release", "give that model another name")


def candidates(request: CandidatesRequest, ports: Ports, report: Report) -> ModelSelection:
    """Run a notebook headless, and measure its models in that kernel.

    Raises
    ------
    InvalidInput
        The request names no notebook, or no models, or what it names is wrong.
    UnknownSource, NotebookFailed, KernelDied
        The notebook does not run.
    StoreError
        Its kernel measured nothing.
    """
    notebook, models = split_sources(request)
    if not is_notebook(notebook):
        raise InvalidInput(
            f"'{notebook}' is no notebook" if notebook else "the choice has no notebook",
            "write: nbdeploy candidates train.ipynb logit forest --x X_test --y y_test",
        )
    if not models:
        raise InvalidInput(
            f"which variables of {Path(notebook).name} hold the models?",
            f"write: nbdeploy candidates {notebook} MODEL MODEL --x {request.x} --y {request.y}",
        )
    progress = Steps(report, total=1)
    name = Path(notebook).name
    progress(f"running {name}, then measuring {_named(models)}")
    of_kernel = request.model_copy(update={"models": models})
    cell = (
        "from jupyter_deploy.faces.kernel.model_selection import candidates_for_command_line\n"
        f"candidates_for_command_line({of_kernel.model_dump_json()!r})"
    )
    named = [*models, *(text for text in (request.x, request.y, request.by) if text)]
    shown = ports.notebooks.run(Path(notebook), cell, lambda words: progress(f"{name}: {words}", False), named)
    if ERROR_MIME in shown:
        raise revive(shown[ERROR_MIME])
    if SELECTION_MIME not in shown:
        raise StoreError("the notebook's kernel measured nothing", "is nbdeploy installed in the kernel's environment?")
    return ModelSelection.model_validate(shown[SELECTION_MIME])


def split_sources(request: CandidatesRequest) -> tuple[str, tuple[str, ...]]:
    """Return the notebook of a request, and its models' variables."""
    first, *others = request.models or ("",)
    return first, tuple(others)


def title(request: CandidatesRequest) -> str:
    """Return the title of a job."""
    notebook, models = split_sources(request)
    return f"candidates of {Path(notebook).name}: {_named(models)}"


def _named(models: Sequence[str]) -> str:
    """Return the names of a few models, or the number of many."""
    return ", ".join(models) if len(models) <= MOST_NAMED else f"{len(models)} models"
