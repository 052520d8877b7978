"""The plan of runs: notebooks with parameters and gates, for ``validate`` and the verbs that validate a release."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.expressions import error_at
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.gates.parser import GATE, parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.secret_names import hide_secrets
from jupyter_deploy.domain.validation.model_calls import AGREEMENT, OF_CALLS
from jupyter_deploy.domain.validation.notebook_calls import calls_function, mentions, recorded_metrics
from jupyter_deploy.domain.validation.parameters import combinations, parse_matrix, plain_keys
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.validation import ValidationSpec

_SIMILAR = 0.8
"""The similarity of two names (``difflib``) from which one is taken for a typo of the other."""


class Problems:
    """Collects the faults of a request, so that one error has all of them."""

    def __init__(self) -> None:
        self._errors: dict[str, DeployError] = {}

    @contextmanager
    def noted(self, where: str = "") -> Iterator[None]:
        """Collect an error within and continue; ``where`` is put before its message."""
        try:
            yield
        except DeployError as error:
            if where:
                error = type(error)(f"{where}: {error.message}", error.remedy, error.details)
            self._errors.setdefault(str(error), error)

    def refuse(self) -> None:
        """Raise the collected errors, if any.

        Raises
        ------
        InvalidInput
            Several errors; a single error is raised unchanged.
        """
        if len(self._errors) == 1:
            raise next(iter(self._errors.values()))
        if self._errors:
            details = "\n".join(f"  {text}".replace("\n", "\n  ") for text in self._errors)
            raise InvalidInput(f"{len(self._errors)} things are wrong; nothing was started", details=details)


@dataclass(frozen=True)
class Planned:
    """A planned run: a notebook, its parameters, and its gates with their origins.

    ``traffic`` is the amount of recorded traffic for the notebook, such as ``1h``; ``variables`` are added to the
    environment of its kernels; ``key``: see ``Run.key``.
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    gates: Sequence[tuple[Gate, str]] = ()
    traffic: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def origin(self) -> str:
        """The path or address of the notebook."""
        return self.notebook.origin or str(self.notebook.path)

    @property
    def kept_parameters(self) -> dict[str, Any]:
        """The parameters for the record: JSON values, without those that are secret by name."""
        return {name: hide_secrets(name, value) for name, value in self.plain_parameters.items()}

    @property
    def plain_parameters(self) -> dict[str, Any]:
        """The parameters as JSON values, with secrets."""
        plain: dict[str, Any] = json.loads(json.dumps(plain_keys(self.parameters), default=_plain))
        return plain

    @property
    def needs_stable(self) -> bool:
        """Whether a gate needs a second run of the notebook, with stable as its model."""
        return any(compares(gate) for gate, _ in self.gates)

    @property
    def asks_model(self) -> bool:
        """Whether the notebook's source calls ``model``."""
        return calls_function("model", self.notebook.source)

    @property
    def asks_reference(self) -> bool:
        """Whether the notebook's source calls ``reference``."""
        return calls_function("reference", self.notebook.source)

    @property
    def asks_recorded(self) -> bool:
        """Whether the notebook gets recorded requests, or its source calls ``recorded``."""
        return self.traffic is not None or calls_function("recorded", self.notebook.source)


def compares(gate: Gate) -> bool:
    """Whether the gate is judged by the notebook's run with stable."""
    return gate.needs_stable or gate.metric == AGREEMENT


def _plain(value: Any) -> Any:
    """A JSON value for numpy's numbers and arrays and for paths, which requests in Python may have."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


@dataclass(frozen=True)
class RunOverrides:
    """Parameters, matrix, gates and kernel of all runs; they precede those of a run's own entry."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    gates: Sequence[tuple[Gate, str]] = ()
    kernel: str | None = None


def plan(
    specs: Iterable[ValidationSpec], overrides: RunOverrides, ports: Ports, problems: Problems, *, origin: str
) -> list[Planned]:
    """Plan the runs of all entries in their order; entries without a notebook have none.

    Parameters
    ----------
    origin
        The origin of the entries' gates, for results and errors.
    """
    notebooks: dict[str, Notebook | None] = {}
    planned: list[Planned] = []
    for spec in specs:
        if spec.notebook is None:
            continue
        if spec.notebook not in notebooks:
            notebooks[spec.notebook] = None
            with problems.noted():
                notebooks[spec.notebook] = ports.validations.read(spec.notebook, overrides.kernel)
        notebook = notebooks[spec.notebook]
        if notebook is not None:
            planned += _runs(notebook, spec, overrides, ports, problems, origin=origin)
    return planned


def _runs(
    notebook: Notebook, spec: ValidationSpec, overrides: RunOverrides, ports: Ports, problems: Problems, *, origin: str
) -> Iterator[Planned]:
    own = parsed_gates(notebook.gates, "the notebook", problems, notebook.path.name)
    gates = [*own, *parsed_gates(spec.gates, origin, problems, origin), *overrides.gates]
    once: dict[object, tuple[Gate, str]] = {}
    for gate, place in gates:  # a gate from several origins is judged once
        once.setdefault(gate.meaning, (gate, place))
    for gate, place in once.values():
        with problems.noted("" if place == "the command line" else place):
            _require_no_typo(gate, notebook)
    matrix: dict[str, Sequence[Any]] = {}
    with problems.noted(origin):
        matrix = {k: v for k, v in parse_matrix(spec.matrix).items() if k not in overrides.parameters}
    for values in combinations({**matrix, **overrides.matrix}):
        parameters = {**spec.parameters, **overrides.parameters, **values}
        with problems.noted():
            ports.validations.require_parameters(notebook, parameters)
        yield Planned(notebook, parameters, list(once.values()), spec.traffic or notebook.traffic)


def _require_no_typo(gate: Gate, notebook: Notebook) -> None:
    """Require that a gate's metric is not a typo of one that the notebook records.

    A name without a similar one may be recorded by a module that the notebook imports.

    Raises
    ------
    InvalidInput
        The notebook nowhere has the metric's name, but a similar one.
    """
    calls = OF_CALLS if calls_function("model", notebook.source) else frozenset()
    known = recorded_metrics(notebook.source)
    if known is None or gate.metric in calls or mentions(notebook.source, gate.metric):
        return
    near = difflib.get_close_matches(gate.metric, sorted({*known, *calls}), 1, _SIMILAR)
    if near:
        why = f"{notebook.path.name} records no metric '{gate.metric}'"
        remedy = f"did you mean {near[0]}? If a module records it, mention '{gate.metric}' as a text in the notebook"
        raise error_at(GATE.noun, gate.expression, 0, why, remedy)


def parsed_gates(
    expressions: Iterable[str], origin: str, problems: Problems, where: str = ""
) -> list[tuple[Gate, str]]:
    """Parse gates and pair them with their origin; faults are collected as problems."""
    gates = []
    for expression in expressions:
        with problems.noted(where):
            gates.append((parse_gate(expression), origin))
    return gates
