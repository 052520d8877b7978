"""What an endpoint asks of its releases: named by a deploy, else by ``nbdeploy.yaml``, else what it asked before."""

from __future__ import annotations

import hashlib
import json
import re
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
from jupyter_deploy.domain.validation.model_calls import AGREEMENT, LATENCIES
from jupyter_deploy.domain.validation.notebook_calls import asks_for
from jupyter_deploy.domain.validation.parameters import parse_parameters
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.validation import Run, ValidationSpec

from .run_plan import Given, Planned, Problems, plan
from .validation_runs import Subject

OFF = "off"

OF_CALLS = frozenset({*LATENCIES, "error_rate", AGREEMENT})
"""Figures that a notebook has of what it asks the model, without a line of code."""

_GIVEN = Given()


@dataclass(frozen=True)
class Wanted:
    """What an endpoint asks of its releases, as its notebooks are now; ``missing`` can no longer be run."""

    specs: tuple[ValidationSpec, ...]
    runs: tuple[Planned, ...] = ()
    missing: tuple[Run, ...] = ()

    def planned(self, subject: Subject) -> tuple[Planned, ...]:
        """The runs of its notebooks, each with the key of all that its result depends on."""
        return tuple(_keyed(planned, subject) for planned in self.runs)

    def with_former(self, more: Wanted) -> Wanted:
        """Beside what is asked from now on, what was asked until now."""
        return Wanted((*self.specs, *more.specs), (*self.runs, *more.runs), (*self.missing, *more.missing))

    @property
    def live(self) -> tuple[str, ...]:
        """Gates on the comparison of live traffic."""
        return tuple(gate for spec in self.specs if spec.notebook is None for gate in spec.gates)


@dataclass(frozen=True)
class Named:
    """What a deploy names; ``specs`` None: nothing, those that the endpoint has are meant.

    ``file`` is the nbdeploy.yaml that they stand in (empty: options named them); ``passed_over`` one that does not
    count, since the endpoint's validations were named elsewhere.
    """

    specs: tuple[ValidationSpec, ...] | None
    file: str = ""
    passed_over: str = ""


def named(request: DeployRequest, name: str, before: Endpoint | None, ports: Ports) -> Named:
    """The validations that a deploy names, or ``nbdeploy.yaml`` (without those of other endpoints), checked.

    Options count above the file. ``--gate`` alone adds to what is asked without it. The file counts where the endpoint
    asks nothing, or what stood in that very file: it is not to replace unseen what somebody named.

    Raises
    ------
    InvalidInput, UnknownSource
        Gates, notebooks or parameters that cannot be, all of them at once.
    """
    if OFF in request.validate:
        if len(request.validate) > 1 or request.gate or request.parameter:
            raise InvalidInput("--validate off takes all validations away", "name nothing beside it")
        return Named(())
    if request.parameter and not request.validate:
        raise InvalidInput("-p is for a notebook's parameters cell", "name the notebook too: --validate NOTEBOOK")
    problems = Problems()
    found = (
        Named(tuple(_fresh(request, ports, problems))) if request.validate else _in_file(name, before, ports, problems)
    )
    if request.gate:
        specs = found.specs if found.specs is not None else before.validations if before else ()
        found = replace(found, specs=tuple(_with_gates(specs, request, ports, problems)), file="")
    chosen = found.specs or ()
    plan(chosen, _GIVEN, ports, problems, origin="the endpoint")
    for expression in (gate for spec in chosen if spec.notebook is None for gate in spec.gates):
        with problems.noted():
            gate = parse_gate(expression)
            if not is_figure(gate):
                raise unknown_figure(gate)
            require_figure(gate)
    problems.refuse()
    return found


def former(before: Endpoint, specs: Iterable[ValidationSpec]) -> tuple[ValidationSpec, ...]:
    """What the endpoint asks already and ``specs`` do not: what a deploy takes away, or puts another in place of."""
    return _beyond(before.validations, specs)


def _beyond(some: Iterable[ValidationSpec], others: Iterable[ValidationSpec]) -> tuple[ValidationSpec, ...]:
    """Those that ask for something which none of the others asks for."""
    known = tuple(others)
    return tuple(spec for spec in some if not any(_covers(other, spec) for other in known))


def _covers(spec: ValidationSpec, known: ValidationSpec) -> bool:
    same = known.model_copy(update={"gates": spec.gates}) == spec
    return same and set(known.gates) <= set(spec.gates)


def _in_file(name: str, before: Endpoint | None, ports: Ports, problems: Problems) -> Named:
    """What ``nbdeploy.yaml`` in the working directory names, where that counts."""
    specs = _listed(name, ports, problems)
    file = str(Path("nbdeploy.yaml").absolute())
    if not specs:
        return Named(None)
    if before is None or not before.validations or before.validations_from == file:
        return Named(specs, file)
    return Named(None, passed_over=file if _beyond(specs, before.validations) else "")


def listed_for(name: str, ports: Ports) -> tuple[ValidationSpec, ...]:
    """What ``nbdeploy.yaml`` names for an endpoint; what in it cannot be is left out here, and said by a deploy."""
    return _listed(name, ports, Problems())


def _listed(name: str, ports: Ports, problems: Problems) -> tuple[ValidationSpec, ...]:
    listed = [one for spec in ports.specs for one in _within(spec, ports, problems)]
    return tuple(spec for spec in listed if _endpoint_of(spec, ports, problems) in (None, name))


def read(specs: tuple[ValidationSpec, ...], ports: Ports) -> Wanted:
    """The runs that validations ask for; where one's notebook has gone, or no longer takes its parameters, that."""
    runs: list[Planned] = []
    missing: list[Run] = []
    for spec in specs:
        problems = Problems()
        found = plan([spec], _GIVEN, ports, problems, origin="the endpoint")
        try:
            problems.refuse()
        except DeployError as error:
            said = " ".join(f"{error.message} {error.details}".split())
            missing.append(
                Run(notebook=spec.notebook or "", parameters=spec.told.parameters, status="not run", detail=said)
            )
        else:
            runs += found
    return Wanted(specs, tuple(runs), tuple(missing))


def require_readable(wanted: Wanted, request: DeployRequest, name: str) -> None:
    """Raise GateFailed, before slow work, where a notebook is gone and nobody says that it does not matter."""
    if wanted.missing and not request.force:
        gone = wanted.missing[0]
        raise GateFailed(
            f"{name} is validated by {Path(gone.notebook).name}, which cannot be run: {gone.detail}",
            'put it back, or add --force --reason "…"; a shadow may name others with --validate (off: none)',
        )


def _fresh(request: DeployRequest, ports: Ports, problems: Problems) -> list[ValidationSpec]:
    """The notebooks that a deploy names."""
    parameters = {}
    with problems.noted():
        parameters = parse_parameters(request.parameter)
    empty = [ValidationSpec(notebook=given, parameters=parameters) for given in request.validate]
    return [one for spec in empty for one in _within(spec, ports, problems)]


def _with_gates(
    specs: Sequence[ValidationSpec], request: DeployRequest, ports: Ports, problems: Problems
) -> list[ValidationSpec]:
    """With the gates of a deploy beside those that they have: each where it is measured, the others on live traffic."""
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
    live = [gate for gate in gates if _is_live(gate, known, beside_notebooks=bool(request.validate))]
    if live and not any(spec.notebook is None for spec in specs):
        specs = [*specs, ValidationSpec()]
    found = []
    for spec in specs:
        notebook = notebooks[spec.notebook] if spec.notebook else None
        more = [g for g in gates if g not in live and _measures(notebook, g, known)] if notebook else live
        expressions = dict.fromkeys((*spec.gates, *(gate.expression for gate in more)))
        found.append(spec.model_copy(update={"gates": tuple(expressions)}))
    return found


def _is_live(gate: Gate, notebooks: Sequence[Notebook], *, beside_notebooks: bool) -> bool:
    """Whether a gate is on the comparison of live traffic.

    Beside notebooks that the same line names, ``error_rate`` and ``agreement`` are of what these ask, as in
    ``validate``: one line means one thing.
    """
    if not notebooks:
        return True
    return is_figure(gate) and not _mentioned(notebooks, gate) and not (beside_notebooks and gate.metric in OF_CALLS)


def _measures(notebook: Notebook, gate: Gate, notebooks: Sequence[Notebook]) -> bool:
    """Whether a gate goes to this one of the notebooks; to all, where no words say which of them measures it."""
    if _mentioned(notebooks, gate):
        return _mentioned([notebook], gate)
    asking = [one for one in notebooks if asks_for("model", one.source)] if gate.metric in OF_CALLS else []
    return notebook in asking or not asking


def _within(spec: ValidationSpec, ports: Ports, problems: Problems) -> list[ValidationSpec]:
    """The same of each notebook, where it names a folder of them; with absolute paths."""
    if spec.notebook is None:
        return [spec]
    found: list[str] = []
    with problems.noted():
        found = ports.project.notebooks(spec.notebook)
    places = [place if "://" in place else str(Path(place).absolute()) for place in found]
    return [spec.model_copy(update={"notebook": place}) for place in places]


def _endpoint_of(spec: ValidationSpec, ports: Ports, problems: Problems) -> str | None:
    """The endpoint that a notebook's parameters name: ``nbdeploy.yaml`` may list the notebooks of several models."""
    if spec.notebook is None:
        return None
    with problems.noted():
        defaults = ports.validations.read(spec.notebook).defaults or {}
        told = {**defaults, **spec.parameters}.get("endpoint")
        return told if isinstance(told, str) and told else None
    return None


def _keyed(planned: Planned, subject: Subject) -> Planned:
    """With its key; gates on stable wait where there is none yet."""
    if subject.stable is None:
        gates = [(gate, place) for gate, place in planned.gates if not _waits(gate, planned.notebook)]
        planned = replace(planned, gates=gates)
    if planned.asks_recorded or subject.snapshot is None:
        return planned  # of other requests each time
    looks_at_stable = subject.stable is not None and (planned.needs_stable or planned.asks_reference)
    depends_on = (
        str(planned.notebook.path),
        planned.notebook.kernel,
        planned.notebook.digest,
        planned.plain_parameters,
        sorted(gate.expression for gate, _ in planned.gates),
        subject.snapshot.digest,
        subject.stable.digest if subject.stable and looks_at_stable else None,
    )
    document = json.dumps(depends_on, sort_keys=True)
    return replace(planned, key=hashlib.sha256(document.encode()).hexdigest())


def _waits(gate: Gate, notebook: Notebook) -> bool:
    """Whether a gate can only be judged beside a stable release."""
    return gate.needs_stable or (gate.metric == AGREEMENT and not _mentioned([notebook], gate))


def _mentioned(notebooks: Sequence[Notebook], gate: Gate) -> bool:
    """Whether the name stands as a text in a cell, as it does where it is recorded in whatever language."""
    word = re.compile(rf"""["']{re.escape(gate.metric)}["']""")
    return any(word.search(notebook.source) for notebook in notebooks)
