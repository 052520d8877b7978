"""The gates of an endpoint: from a deploy's options, else from ``nbdeploy.yaml``, else from the endpoint itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_deploy.domain.errors import DeployError, GateFailed, InvalidInput
from jupyter_deploy.domain.gates.figures import is_figure, require_figure, unknown_figure
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.model_calls import AGREEMENT, OF_CALLS
from jupyter_deploy.domain.validation.notebook_calls import calls_function, mentions
from jupyter_deploy.domain.validation.parameters import parse_parameters
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.validation import Run, ValidationSpec
from jupyter_deploy.verbs.run_plan import Planned, Problems, RunOverrides, plan
from jupyter_deploy.verbs.validation_runs import Candidate

OFF = "off"

_NO_OVERRIDES = RunOverrides()


@dataclass(frozen=True)
class GatePlan:
    """The gates of an endpoint and the runs of its present notebooks; ``missing`` are runs without a notebook."""

    specs: tuple[ValidationSpec, ...]
    runs: tuple[Planned, ...] = ()
    missing: tuple[Run, ...] = ()

    def planned(self, candidate: Candidate) -> tuple[Planned, ...]:
        """The runs, each with a key made of everything that its result depends on."""
        return tuple(_keyed(planned, candidate) for planned in self.runs)

    def joined(self, other: GatePlan) -> GatePlan:
        """Both plans as one."""
        return GatePlan((*self.specs, *other.specs), (*self.runs, *other.runs), (*self.missing, *other.missing))

    @property
    def live(self) -> tuple[str, ...]:
        """Gates on the comparison of live traffic."""
        return tuple(gate for spec in self.specs if spec.notebook is None for gate in spec.gates)


@dataclass(frozen=True)
class GateSource:
    """The validations of a deploy and their source.

    Attributes
    ----------
    specs
        The validations; None: the deploy names none, and the endpoint keeps its own.
    file
        The ``nbdeploy.yaml`` with the validations; empty: options name them.
    ignored_file
        An ``nbdeploy.yaml`` that is ignored, since the endpoint's validations come from another source.
    """

    specs: tuple[ValidationSpec, ...] | None
    file: str = ""
    ignored_file: str = ""


def gate_source(request: DeployRequest, name: str, before: Endpoint | None, ports: Ports) -> GateSource:
    """Read and check the validations of a deploy or of ``nbdeploy.yaml`` (without those of other endpoints).

    Options precede the file. ``--gate`` alone adds gates to the validations. The file counts if the endpoint has no
    validations or has them from that very file, so that it never replaces unseen the validations of somebody's options.

    Raises
    ------
    InvalidInput, UnknownSource
        Gates, notebooks or parameters are wrong; the error has all of them.
    """
    if OFF in request.validate:
        if len(request.validate) > 1 or request.gate or request.parameter:
            raise InvalidInput("--validate off takes all validations away", "name nothing with it")
        return GateSource(())
    if request.parameter and not request.validate:
        raise InvalidInput("-p is for a notebook's parameters cell", "name the notebook too: --validate NOTEBOOK")
    problems = Problems()
    source = (
        GateSource(tuple(_fresh(request, ports, problems)))
        if request.validate
        else _in_file(name, before, ports, problems)
    )
    if request.gate:
        specs = source.specs if source.specs is not None else before.validations if before else ()
        source = replace(source, specs=tuple(_with_gates(specs, request, ports, problems)), file="")
    _require_valid(source.specs or (), ports, problems)
    return source


def gates_of_document(specs: Sequence[ValidationSpec], file: str, ports: Ports) -> GateSource:
    """Check the validations of an endpoint's document.

    Raises
    ------
    InvalidInput, UnknownSource
        Gates, notebooks or parameters are wrong; the error has all of them.
    """
    problems = Problems()
    source = GateSource(tuple(one for spec in specs for one in _within(spec, ports, problems)), file)
    _require_valid(source.specs or (), ports, problems)
    return source


def _require_valid(specs: Sequence[ValidationSpec], ports: Ports, problems: Problems) -> None:
    plan(specs, _NO_OVERRIDES, ports, problems, origin="the endpoint")
    for expression in (gate for spec in specs if spec.notebook is None for gate in spec.gates):
        with problems.noted():
            gate = parse_gate(expression)
            if not is_figure(gate):
                raise unknown_figure(gate)
            require_figure(gate)
    problems.refuse()


def dropped_specs(before: Endpoint, specs: Iterable[ValidationSpec]) -> tuple[ValidationSpec, ...]:
    """The endpoint's validations that ``specs`` drop or replace."""
    return _beyond(before.validations, specs)


def _beyond(some: Iterable[ValidationSpec], others: Iterable[ValidationSpec]) -> tuple[ValidationSpec, ...]:
    """The validations in ``some`` that none of the others covers."""
    known = tuple(others)
    return tuple(spec for spec in some if not any(_covers(other, spec) for other in known))


def _covers(spec: ValidationSpec, known: ValidationSpec) -> bool:
    same = known.model_copy(update={"gates": spec.gates}) == spec
    return same and set(known.gates) <= set(spec.gates)


def _in_file(name: str, before: Endpoint | None, ports: Ports, problems: Problems) -> GateSource:
    """The validations in the working directory's ``nbdeploy.yaml``, if the file counts."""
    specs = _listed(name, ports, problems)
    file = str(Path("nbdeploy.yaml").absolute())
    if not specs:
        return GateSource(None)
    if before is None or not before.validations or before.validations_from == file:
        return GateSource(specs, file)
    return GateSource(None, ignored_file=file if _beyond(specs, before.validations) else "")


def listed_for(name: str, ports: Ports) -> tuple[ValidationSpec, ...]:
    """The validations of ``nbdeploy.yaml`` for an endpoint, without faulty ones: a deploy reports those."""
    return _listed(name, ports, Problems())


def _listed(name: str, ports: Ports, problems: Problems) -> tuple[ValidationSpec, ...]:
    listed = [one for spec in ports.specs for one in _within(spec, ports, problems)]
    return tuple(spec for spec in listed if _endpoint_of(spec, ports, problems) in (None, name))


def plan_gates(specs: tuple[ValidationSpec, ...], ports: Ports) -> GatePlan:
    """Plan the runs of validations; a run whose notebook is gone or rejects its parameters becomes ``missing``."""
    runs: list[Planned] = []
    missing: list[Run] = []
    for spec in specs:
        problems = Problems()
        planned = plan([spec], _NO_OVERRIDES, ports, problems, origin="the endpoint")
        try:
            problems.refuse()
        except DeployError as error:
            detail = " ".join(f"{error.message} {error.details}".split())
            missing.append(
                Run(
                    notebook=spec.notebook or "",
                    parameters=spec.without_secrets.parameters,
                    status="not run",
                    detail=detail,
                )
            )
        else:
            runs += planned
    return GatePlan(specs, tuple(runs), tuple(missing))


def require_readable(gates: GatePlan, request: DeployRequest, name: str) -> None:
    """Raise GateFailed, before slow work, if a notebook is missing and the request does not say ``--force``."""
    if gates.missing and not request.force:
        gone = gates.missing[0]
        raise GateFailed(
            f"{name} is validated by {Path(gone.notebook).name}, which cannot be run: {gone.detail}",
            'put it back, or add --force --reason "…"; a shadow may name others with --validate (off: none)',
        )


def _fresh(request: DeployRequest, ports: Ports, problems: Problems) -> list[ValidationSpec]:
    """The validations of a deploy's ``--validate``."""
    parameters = {}
    with problems.noted():
        parameters = parse_parameters(request.parameter)
    empty = [ValidationSpec(notebook=place, parameters=parameters) for place in request.validate]
    return [one for spec in empty for one in _within(spec, ports, problems)]


def _with_gates(
    specs: Sequence[ValidationSpec], request: DeployRequest, ports: Ports, problems: Problems
) -> list[ValidationSpec]:
    """Add a deploy's gates, each to the notebook that measures its metric, the others to live traffic."""
    notebooks: dict[str, Notebook] = {}
    for place in dict.fromkeys(spec.notebook for spec in specs if spec.notebook):
        with problems.noted():
            notebooks[place] = ports.validations.read(place)
    problems.refuse()
    gates: list[Gate] = []
    for expression in request.gate:
        with problems.noted():
            gates.append(parse_gate(expression))
    known = list(notebooks.values())
    live = [gate for gate in gates if _is_live(gate, known, with_notebooks=bool(request.validate))]
    if live and not any(spec.notebook is None for spec in specs):
        specs = [*specs, ValidationSpec()]
    extended = []
    for spec in specs:
        notebook = notebooks[spec.notebook] if spec.notebook else None
        more = [g for g in gates if g not in live and _measures(notebook, g, known)] if notebook else live
        expressions = dict.fromkeys((*spec.gates, *(gate.expression for gate in more)))
        extended.append(spec.model_copy(update={"gates": tuple(expressions)}))
    return extended


def _is_live(gate: Gate, notebooks: Sequence[Notebook], *, with_notebooks: bool) -> bool:
    """Whether a gate is on live traffic.

    If the same command names notebooks, ``error_rate`` and ``agreement`` are about the calls of these notebooks, as in
    ``validate``.
    """
    if not notebooks:
        return True
    return is_figure(gate) and not _mentioned(notebooks, gate) and not (with_notebooks and gate.metric in OF_CALLS)


def _measures(notebook: Notebook, gate: Gate, notebooks: Sequence[Notebook]) -> bool:
    """Whether a gate belongs to this notebook; if no notebook names the metric, the gate belongs to all of them."""
    if _mentioned(notebooks, gate):
        return _mentioned([notebook], gate)
    callers = [one for one in notebooks if calls_function("model", one.source)] if gate.metric in OF_CALLS else []
    return notebook in callers or not callers


def _within(spec: ValidationSpec, ports: Ports, problems: Problems) -> list[ValidationSpec]:
    """One validation for each notebook of a folder, with absolute paths."""
    if spec.notebook is None:
        return [spec]
    paths: list[str] = []
    with problems.noted():
        paths = ports.project.notebooks(spec.notebook)
    places = [place if "://" in place else str(Path(place).absolute()) for place in paths]
    return [spec.model_copy(update={"notebook": place}) for place in places]


def _endpoint_of(spec: ValidationSpec, ports: Ports, problems: Problems) -> str | None:
    """The endpoint in a notebook's parameters: ``nbdeploy.yaml`` may list the notebooks of several models."""
    if spec.notebook is None:
        return None
    with problems.noted():
        defaults = ports.validations.read(spec.notebook).defaults or {}
        endpoint = {**defaults, **spec.parameters}.get("endpoint")
        return endpoint if isinstance(endpoint, str) and endpoint else None
    return None


def _keyed(planned: Planned, candidate: Candidate) -> Planned:
    """The run with its key; if there is no stable release, without the gates that need one."""
    if candidate.stable is None:
        gates = [(gate, place) for gate, place in planned.gates if not _waits(gate, planned.notebook)]
        planned = replace(planned, gates=gates)
    if planned.asks_recorded or candidate.snapshot is None:
        return planned  # the requests differ each time
    looks_at_stable = candidate.stable is not None and (planned.needs_stable or planned.asks_reference)
    depends_on = (
        str(planned.notebook.path),
        planned.notebook.kernel,
        planned.notebook.digest,
        planned.plain_parameters,
        sorted(gate.expression for gate, _ in planned.gates),
        candidate.snapshot.digest,
        candidate.stable.digest if candidate.stable and looks_at_stable else None,
    )
    document = json.dumps(depends_on, sort_keys=True)
    return replace(planned, key=hashlib.sha256(document.encode()).hexdigest())


def _waits(gate: Gate, notebook: Notebook) -> bool:
    """Whether a gate needs a stable release."""
    return gate.needs_stable or (gate.metric == AGREEMENT and not _mentioned([notebook], gate))


def _mentioned(notebooks: Sequence[Notebook], gate: Gate) -> bool:
    return any(mentions(notebook.source, gate.metric) for notebook in notebooks)
