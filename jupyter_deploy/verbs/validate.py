"""The verb ``validate``: notebooks with parameters and gates run on a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.parameters import parse_matrix, parse_parameters
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.domain.validation.selection import parse_selection
from jupyter_deploy.domain.validation.validation import Validation, ValidationSpec, titles

from .capture import load_release, load_snapshot
from .interrupts import heard_once
from .recorded_requests import with_recorded
from .run_plan import Planned, Problems, RunOverrides, parsed_gates, plan
from .validation import in_words, run, run_all
from .validation_runs import Candidate, RunOptions, Side, output_names, output_of

_LAST = 200  # stored validations that ``--last-failed`` looks at


@heard_once()
def validate(request: ValidateRequest, ports: Ports, report: Report) -> Validation:
    """Run validation notebooks and judge what they measured."""
    problems = Problems()
    report(Step(number=1, total=2, title="reading the validation notebooks"))
    _check_places(request, problems)
    everything = _planned(request, ports, problems)
    _check_since(request, everything, problems)
    planned, notes = _chosen(everything, request, ports, problems)
    _check_outputs(request, planned, everything, problems)
    candidate = _candidate(request, planned, ports, problems)
    problems.refuse()
    if not planned:
        return Validation(id="", at=now(), runs=(), notes=tuple(notes), verdict="pass")
    with with_recorded(planned, request.traffic, request.since, candidate.endpoint, ports, report=report) as runnable:
        report(Step(number=2, total=2, title=_starting(planned, candidate, request.workers)))
        validation, _ = run(runnable, candidate, _run_options(request, notes), ports, report)
    return _reported(validation, request, ports)


def _starting(planned: Sequence[Planned], candidate: Candidate, workers: int) -> str:
    """The title of a run's first step."""
    kernels = min(workers, len(planned))
    server = "the model's server and " if candidate.snapshot else ""
    return f"starting {server}{'a kernel' if kernels == 1 else f'{kernels} kernels'}"


def runs_of(request: ValidateRequest, ports: Ports) -> list[Planned]:
    """The planned runs of a request, for callers that run each alone; raises as ``validate`` does before it starts."""
    problems = Problems()
    planned = _planned(request, ports, problems)
    _check_since(request, planned, problems)
    problems.refuse()
    return planned


def validate_one(planned: Planned, request: ValidateRequest, ports: Ports, report: Report) -> Validation:
    """Validate one of ``runs_of``; Ctrl-C is raised."""
    problems = Problems()
    candidate = _candidate(request, [planned], ports, problems)
    problems.refuse()
    with with_recorded([planned], request.traffic, request.since, candidate.endpoint, ports, report=report) as runnable:
        return run_all(runnable, candidate, _run_options(request), ports, report)


def _run_options(request: ValidateRequest, notes: Sequence[str] = ()) -> RunOptions:
    return RunOptions(
        workers=request.workers,
        timeout=request.timeout,
        fail_fast=request.fail_fast,
        cold=request.cold,
        cwd=Path(request.cwd).absolute() if request.cwd else None,
        executed=Path(request.executed).absolute() if request.executed else None,
        notes=tuple(notes),
    )


def _reported(validation: Validation, request: ValidateRequest, ports: Ports) -> Validation:
    """Write the requested reports; a failed report loses neither the result nor the others."""
    writers: list[Callable[[], object]] = []
    if request.html and validation.report:
        writers.append(partial(ports.reports.publish, validation, Path(request.html)))
    if request.junit:
        writers.append(partial(ports.reports.junit, validation, Path(request.junit)))
    if request.github:
        writers.append(partial(ports.reports.github, validation))
    for write in writers:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - a failed report must not lose the validation
            validation = validation.unreported_since(in_words(error))
    return validation


def _check_since(request: ValidateRequest, planned: Sequence[Planned], problems: Problems) -> None:
    """Check that a run uses the recorded requests of ``--since``."""
    with problems.noted():
        used = request.traffic is not None or any(one.traffic is not None for one in planned)
        if request.since is not None and not used and planned:
            raise InvalidInput(
                "--since needs --traffic NAME: none of the notebooks uses recorded requests by itself",
                "add --traffic with an endpoint's name, or leave --since out",
            )


def _check_places(request: ValidateRequest, problems: Problems) -> None:
    """Check the places of the files to write, before anything runs for an hour."""
    folders = {"--executed": request.executed, "--html": request.html}
    for option, place in folders.items():
        with problems.noted():
            if place and Path(place).exists() and not Path(place).is_dir():
                raise InvalidInput(f"{option} {place} is not a folder", "name a folder; it is made if it is not there")
    with problems.noted():
        if request.junit and (Path(request.junit).is_dir() or not Path(request.junit).absolute().parent.is_dir()):
            raise InvalidInput(f"--junit {request.junit} cannot be a file", "name a file in a folder that exists")
    with problems.noted():
        if request.cwd and not Path(request.cwd).is_dir():
            raise InvalidInput(f"--cwd {request.cwd} is not a folder", "name a folder that exists")


def _check_outputs(
    request: ValidateRequest, planned: Sequence[Planned], everything: Sequence[Planned], problems: Problems
) -> None:
    """Check that no file to write is a requested notebook, even one that does not run this time."""
    sides: tuple[Side, ...] = ("candidate", "stable")
    written = [("--junit", Path(request.junit))] if request.junit else []
    for option, place in (("--executed", request.executed), ("--html", request.html)):
        for name in output_names(planned) if place else ():
            written += [(option, output_of(Path(place or "") / name, side)) for side in sides]
    sources = {one.notebook.path.resolve() for one in everything}
    for option, output in written:
        with problems.noted():
            if output.resolve() in sources or any(_same(output, source) for source in sources):
                raise InvalidInput(f"{option} would write over the notebook {output}", "name another place")


def _same(output: Path, source: Path) -> bool:
    """Whether two paths are one file, as upper and lower case are on some disks."""
    try:
        return output.samefile(source)
    except OSError:  # not there
        return False


def _planned(request: ValidateRequest, ports: Ports, problems: Problems) -> list[Planned]:
    parameters = _parameters(request, ports, problems)
    matrix: Mapping[str, Sequence[Any]] = {}
    with problems.noted():
        matrix = parse_matrix(request.matrix)
        if both := sorted(set(matrix) & set(parameters)):
            raise InvalidInput(f"'{both[0]}' is a parameter and in the matrix", "name it once")
    gates = parsed_gates(request.gate, "the command line", problems)
    overrides = RunOverrides(parameters, matrix, gates, request.kernel)
    return plan(_specs(request, ports, problems), overrides, ports, problems, origin="nbdeploy.yaml")


def _parameters(request: ValidateRequest, ports: Ports, problems: Problems) -> dict[str, Any]:
    """The parameters in Papermill's order: files, YAML, single ones; a later one replaces an earlier one."""
    parameters: dict[str, Any] = {}
    for file in request.parameters_file:
        with problems.noted():
            parameters |= ports.project.parameters(file)
    for text in request.parameters_yaml:
        with problems.noted():
            parameters |= ports.project.parsed(text)
    single = request.parameter
    for one in [single] if isinstance(single, dict) else [(text,) for text in single]:
        with problems.noted():
            parameters |= parse_parameters(one)
    return parameters


def _specs(request: ValidateRequest, ports: Ports, problems: Problems) -> list[ValidationSpec]:
    """The entries of nbdeploy.yaml; if the request names notebooks, the entries of these, or an empty entry."""
    made = [Path(place).resolve() for place in (request.executed, request.html) if place]

    def within(place: str) -> list[str]:
        with problems.noted():
            return ports.project.notebooks(place, made)
        return []

    specs = [spec for spec in ports.specs if spec.notebook is not None]
    if request.notebooks:
        named = dict.fromkeys(notebook for place in request.notebooks for notebook in within(place))
        entries = [(notebook, [spec for spec in specs if _means(spec, notebook)]) for notebook in named]
        return [
            spec.model_copy(update={"notebook": notebook})
            for notebook, own in entries
            for spec in own or [ValidationSpec()]
        ]
    if not specs:
        with problems.noted():
            raise InvalidInput(
                "the validation has no notebooks",
                "name some, such as 'nbdeploy validate checks.ipynb', or list them in nbdeploy.yaml",
            )
    return [
        spec.model_copy(update={"notebook": notebook}) for spec in specs for notebook in within(spec.notebook or "")
    ]


def _means(spec: ValidationSpec, notebook: str) -> bool:
    """Whether an entry is about this notebook, or about a folder with it."""
    place = Path(spec.notebook or "").resolve()
    return Path(notebook).resolve() == place or (place.is_dir() and Path(notebook).resolve().is_relative_to(place))


def _chosen(
    planned: list[Planned], request: ValidateRequest, ports: Ports, problems: Problems
) -> tuple[list[Planned], list[str]]:
    """Apply ``--select``, ``--changed-since`` and ``--last-failed``; return the runs, and notes on those left out."""
    notes: list[str] = []
    names = dict(zip(map(id, planned), titles([(p.origin, p.parameters) for p in planned]), strict=True))

    def keep(kept: list[Planned], why: str) -> list[Planned]:
        out = [names[id(one)] for one in planned if one not in kept]
        if out:
            shown = ", ".join(out[:5]) + (", …" if len(out) > 5 else "")
            notes.append(f"{len(out)} of {len(planned)} run{'s' * (len(planned) != 1)} left out, {why}: {shown}")
        return kept

    with problems.noted():
        if request.select is not None:
            selected = parse_selection(request.select)
            kept = [one for one in planned if selected((names[id(one)], *one.notebook.tags))]
            if planned and not kept:
                titles_ = ", ".join(names.values())
                raise InvalidInput(f"--select '{request.select}' is true of no run", f"the runs are: {titles_}")
            planned = keep(kept, f"not '{request.select}'")
    with problems.noted():
        if request.changed_since is not None:
            changed = ports.project.changed_since(request.changed_since, [one.notebook for one in planned])
            why = f"nothing of it changed since {request.changed_since}"
            planned = keep([one for one in planned if one.notebook.path in changed], why)
    if request.last_failed and planned:
        failed = _not_passed(planned, ports)
        if failed:
            planned = keep(failed, "passed the last time")
        else:
            notes.append("all passed the last time, so all run again")
    return planned, notes


def _not_passed(planned: Sequence[Planned], ports: Ports) -> list[Planned]:
    """The runs that did not pass the last time, or never ran."""
    last: dict[tuple[str, str], str] = {}
    for validation in ports.store.validations(limit=_LAST):
        for one in validation.runs:
            last.setdefault(_key(one.notebook, one.parameters), one.verdict)
    return [one for one in planned if last.get(_key(one.origin, one.kept_parameters)) != "pass"]


def _key(notebook: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    return notebook, repr(sorted(parameters.items()))


def _candidate(request: ValidateRequest, planned: Sequence[Planned], ports: Ports, problems: Problems) -> Candidate:
    """The candidate by ``--snapshot``, else by the notebooks' parameters, else that of the only endpoint."""
    with problems.noted():
        name = request.snapshot or _named_by_parameters(planned)
        if name is None and any(one.asks_model or one.needs_stable for one in planned):
            name = only_endpoint(ports)
        return candidate_of(name, ports, with_stable=any(one.needs_stable or one.asks_reference for one in planned))
    return Candidate(None)


def _named_by_parameters(planned: Sequence[Planned]) -> str | None:
    names: dict[str, dict[str, None]] = {}
    for one in planned:
        if not (one.asks_model or one.needs_stable):
            continue  # its parameter ``endpoint`` may mean another thing
        known = {**(one.notebook.defaults or {}), **one.parameters}
        name = next((known[key] for key in ("snapshot", "endpoint") if isinstance(known.get(key), str)), None)
        if name:
            names.setdefault(name, {})[one.origin] = None
    if len(names) > 1:
        origins = list(dict.fromkeys(one.origin for one in planned))
        called = dict(zip(origins, titles([(origin, {}) for origin in origins]), strict=True))
        each = [f"{', '.join(called[one] for one in notebooks)}: {name}" for name, notebooks in names.items()]
        raise InvalidInput(
            f"the notebooks' parameters name several models: {', '.join(names)}",
            f"validate one at a time, or name one by --snapshot; {'; '.join(each)}",
        )
    return next(iter(names), None)


def only_endpoint(ports: Ports) -> str:
    """The name of the only endpoint.

    Raises
    ------
    InvalidInput
        There are several, or none.
    """
    names = [endpoint.name for endpoint in ports.store.endpoints()]
    if len(names) == 1:
        return names[0]
    if names:
        raise InvalidInput(
            f"the validation has no model, and there are {len(names)} endpoints",
            f"add --snapshot with one of: {', '.join(sorted(names))}; or with a snapshot's tag",
        )
    raise InvalidInput(
        "the validation has no model, and there is no endpoint yet",
        "deploy a model first, or add --snapshot with a snapshot's tag",
    )


def candidate_of(name: str | None, ports: Ports, *, with_stable: bool = True) -> Candidate:
    """The candidate of a name: a tag, or an endpoint's candidate (if it has none, its stable release).

    The beginning of a tag's version suffices if the endpoint of the same name has one such release. ``with_stable``
    False: the stable release is not needed, so it is not read.

    Raises
    ------
    UnknownEndpoint, UnknownSource, Untrusted, NoCandidate
        There is none, it was not captured by this store, or there are several shadows.
    """
    if name is None:
        return Candidate(None)
    if ":" in name:
        endpoint = ports.store.endpoint(name.partition(":")[0])
        known = [r.tag for r in endpoint.releases if r.tag.startswith(name)] if endpoint else []
        tag = known[0] if len(known) == 1 else name
    else:
        from .change import find  # noqa: PLC0415

        endpoint = find(ports, name)
        tag = endpoint.candidate(None) if endpoint.candidates() else endpoint.traffic.stable
    if endpoint is None:
        return Candidate(load_snapshot(tag, trust=False, ports=ports))
    release = next((release for release in endpoint.releases if release.tag == tag), None)
    snapshot = load_release(release, ports) if release else load_snapshot(tag, trust=False, ports=ports)
    stable: Snapshot | None = None
    if endpoint.traffic.stable == snapshot.tag:
        stable = snapshot
    elif with_stable:
        stable = load_release(endpoint.release(endpoint.traffic.stable), ports)
    return Candidate(snapshot, endpoint.name, stable)
