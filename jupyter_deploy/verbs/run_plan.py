"""Which notebooks run, with which parameters and gates: for ``validate``, and for the verbs that validate a release."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.secret_names import shown
from jupyter_deploy.domain.validation.model_calls import AGREEMENT
from jupyter_deploy.domain.validation.notebook_calls import asks_for
from jupyter_deploy.domain.validation.parameters import combinations, parse_matrix, plain_keys
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.validation import ValidationSpec


class Problems:
    """What is wrong with what was asked for, so that all of it is said at once."""

    def __init__(self) -> None:
        self._found: dict[str, DeployError] = {}

    @contextmanager
    def noted(self, where: str = "") -> Iterator[None]:
        """An error within is kept, and what follows goes on; ``where`` is said before it."""
        try:
            yield
        except DeployError as error:
            if where:
                error = type(error)(f"{where}: {error.message}", error.remedy, error.details)
            self._found.setdefault(str(error), error)

    def refuse(self) -> None:
        """Raise if there were any.

        Raises
        ------
        InvalidInput
            With all of them; one alone as it is.
        """
        if len(self._found) == 1:
            raise next(iter(self._found.values()))
        if self._found:
            details = "\n".join(f"  {text}".replace("\n", "\n  ") for text in self._found)
            raise InvalidInput(f"{len(self._found)} things are wrong; nothing was started", details=details)


@dataclass(frozen=True)
class Planned:
    """One run that is to be: a notebook, its parameters, and its gates with where each stands.

    ``traffic`` is how much of the recorded traffic it is given, such as ``1h``; ``variables`` go to its kernels beside
    what all are told; ``key``: see ``Run.key``.
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    gates: Sequence[tuple[Gate, str]] = ()
    traffic: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def origin(self) -> str:
        """Where the notebook was read from."""
        return self.notebook.origin or str(self.notebook.path)

    @property
    def kept_parameters(self) -> dict[str, Any]:
        """The parameters as a record keeps them: as JSON has them, and nothing that is secret by its name."""
        return {name: shown(name, value) for name, value in self.plain_parameters.items()}

    @property
    def plain_parameters(self) -> dict[str, Any]:
        """The parameters as JSON has them, with whatever is secret in them."""
        plain: dict[str, Any] = json.loads(json.dumps(plain_keys(self.parameters), default=_plain))
        return plain

    @property
    def needs_stable(self) -> bool:
        """Whether a gate can only be judged when the notebook is asked of stable too."""
        return any(compares(gate) for gate, _ in self.gates)

    @property
    def asks_model(self) -> bool:
        """Whether its words say that it asks for the model under test."""
        return asks_for("model", self.notebook.source)

    @property
    def asks_reference(self) -> bool:
        """Whether its words say that it asks for stable itself."""
        return asks_for("reference", self.notebook.source)

    @property
    def asks_recorded(self) -> bool:
        """Whether it has recorded requests: it is given some, or its words say that it asks for them itself."""
        return self.traffic is not None or asks_for("recorded", self.notebook.source)


def compares(gate: Gate) -> bool:
    """Whether it is judged by what the notebook's run of stable came to."""
    return gate.needs_stable or gate.metric == AGREEMENT


def _plain(value: Any) -> Any:
    """What JSON has no form for: numpy's numbers and arrays, a path; in Python all of them may be given."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


@dataclass(frozen=True)
class Given:
    """What is said of all runs at once, above what each one's own entry says."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    gates: Sequence[tuple[Gate, str]] = ()
    kernel: str | None = None


def plan(
    specs: Iterable[ValidationSpec], given: Given, ports: Ports, problems: Problems, *, origin: str
) -> list[Planned]:
    """The runs of all entries in their order; what has no notebook is left out.

    Parameters
    ----------
    origin
        Where the entries stand, to be said beside their gates.
    """
    notebooks: dict[str, Notebook | None] = {}
    planned: list[Planned] = []
    for spec in specs:
        if spec.notebook is None:
            continue
        if spec.notebook not in notebooks:
            notebooks[spec.notebook] = None
            with problems.noted():
                notebooks[spec.notebook] = ports.validations.read(spec.notebook, given.kernel)
        notebook = notebooks[spec.notebook]
        if notebook is not None:
            planned += _runs(notebook, spec, given, ports, problems, origin=origin)
    return planned


def _runs(
    notebook: Notebook, spec: ValidationSpec, given: Given, ports: Ports, problems: Problems, *, origin: str
) -> Iterator[Planned]:
    own = parsed_gates(notebook.gates, "the notebook", problems, notebook.path.name)
    gates = [*own, *parsed_gates(spec.gates, origin, problems, origin), *given.gates]
    once: dict[object, tuple[Gate, str]] = {}
    for gate, place in gates:  # what stands in several places is judged once
        once.setdefault(gate.meaning, (gate, place))
    matrix: dict[str, Sequence[Any]] = {}
    with problems.noted(origin):
        matrix = {k: v for k, v in parse_matrix(spec.matrix).items() if k not in given.parameters}
    for values in combinations({**matrix, **given.matrix}):
        parameters = {**spec.parameters, **given.parameters, **values}
        with problems.noted():
            ports.validations.require_parameters(notebook, parameters)
        yield Planned(notebook, parameters, list(once.values()), spec.traffic or notebook.traffic)


def parsed_gates(
    expressions: Iterable[str], origin: str, problems: Problems, where: str = ""
) -> list[tuple[Gate, str]]:
    """Gates from their texts, with where they stand; those of another form are noted as problems."""
    found = []
    for expression in expressions:
        with problems.noted(where):
            found.append((parse_gate(expression), origin))
    return found
