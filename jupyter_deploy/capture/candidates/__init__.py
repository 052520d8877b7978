"""Candidates for a deploy in a kernel's namespace, inspected without running the notebook's code."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_deploy.capture.cell_history import History, history
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.domain.capture.candidates import LabelledRows, ModelCandidate, Table
from jupyter_deploy.domain.capture.findings import Finding, listed
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.signature import Schema
from jupyter_deploy.masking.masking import without_secrets
from jupyter_deploy.notebooks.safe_eval import NotEvaluable, evaluate

from .first_rows import first_rows
from .guesses import GuessContext, examples_for
from .labelled import labelled
from .models import ModelVariable, candidates, ordered
from .tables import tables

_NAMED = 3
MOST = 20
"""The number of models in a list of candidates."""


class NotebookFinder:
    """The Finder port."""

    def models(
        self, namespace: Mapping[str, Any], cells: Sequence[str], failed: Mapping[int, int]
    ) -> list[ModelCandidate]:
        """Return models, best first, each with examples guessed from the variables."""
        variables = dict(namespace)  # a cell may run at the same time
        models = candidates(variables)
        cell_history = history(cells, failed)
        context = GuessContext(tables(variables), {model.variable: model for model in models}, variables, cell_history)
        ranked = ordered(models, cell_history)[:MOST]
        return [_described(model, cell_history, context) for model in ranked]

    def labelled(self, namespace: Mapping[str, Any]) -> list[LabelledRows]:
        """Return rows with their true answers, those outside the training first."""
        return labelled(tables(dict(namespace)))

    def first_rows(self, value: Any) -> Table:
        """Return an example's first rows."""
        return first_rows(value)

    def evaluate(self, expression: str, namespace: Mapping[str, Any]) -> tuple[Any] | None:
        """Evaluate an expression safely, in a tuple, since the value may be None."""
        try:
            return (evaluate(ast.parse(expression.strip(), mode="eval").body, namespace),)
        except (NotEvaluable, SyntaxError, ValueError, RecursionError):
            return None

    def require_method(self, model: Any, method: str | None) -> None:
        """Raise UnknownSource as a capture would."""
        from jupyter_deploy.capture.inspection import method_of

        method_of(model, method)

    def request_schema(self, live: Live) -> Schema | None:
        """Return the schema of one instance; raises as a capture would, before it calls the model."""
        from jupyter_deploy.capture.inspection import request_schema
        from jupyter_deploy.capture.nulls import with_nulls

        example = with_nulls(live.example, live.nullable) if live.nullable else live.example
        return request_schema(live.model, example, live.method)

    def require_included(self, live: Live) -> None:
        """Raise InvalidInput as a capture would."""
        from jupyter_deploy.capture.data_files import require_included

        require_included(live)

    def fast_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return the findings of the fast checks."""
        from jupyter_deploy.capture.checks import fast_findings

        return _clean(fast_findings(live), live)

    def stale_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return the findings on whether the notebook would produce this model."""
        from jupyter_deploy.capture.checks import stale_findings

        return _clean(stale_findings(live), live)


def _clean(findings: tuple[Finding, ...], live: Live) -> tuple[Finding, ...]:
    """Mask the cells' secrets; all cells are read only if there are findings."""
    return without_secrets(findings, live.cells) if findings else ()


def _described(model: ModelVariable, cells: History, context: GuessContext) -> ModelCandidate:
    cell = cells.made.get(model.variable)
    return ModelCandidate(
        variable=model.variable,
        kind="function" if model.is_function else model.kind,
        framework=model.framework,
        methods=model.methods,
        method=model.method,
        examples=examples_for(model, context),
        why=_reason(model, cell),
        cell=cell,
        unusual=model.unusual,
    )


def _reason(model: ModelVariable, cell: int | None) -> str:
    where = f" in In [{cell}]" if cell else ""
    if model.called_by:
        return f"called by {model.called_by}"
    if model.calls:
        return f"calls {listed([*model.calls, *model.uses], _NAMED)}{f'; defined{where}' if where else ''}"
    if not model.fitted:
        return "not fitted yet"
    if model.part_of:
        return f"part of {model.part_of}"
    trained = framework_of(model.value).trained
    return f"{'fitted' if trained else 'made'}{where}" if trained or where else ""
