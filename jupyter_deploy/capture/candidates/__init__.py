"""A notebook's variables as its kernel has them, looked at without running anything of theirs."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_deploy.capture.checks import glanced, stale
from jupyter_deploy.capture.data_files import require_included
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.inspection import method_of
from jupyter_deploy.domain.capture.candidates import ModelFound, Table
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.masking.masking import without_secrets
from jupyter_deploy.notebooks.safe_eval import CannotLook, look

from .cells import History, history
from .first_rows import first_rows
from .guesses import Around, examples_for
from .models import Candidate, candidates, ordered
from .tables import tables

MOST = 20
"""Models that are told of."""


class NotebookFinder:
    """The Finder port."""

    def models(self, namespace: Mapping[str, Any], cells: Sequence[str], failed: Mapping[int, int]) -> list[ModelFound]:
        """Best first, each with examples guessed from the variables."""
        known = dict(namespace)  # a cell may run meanwhile
        found = candidates(known)
        cells_said = history(cells, failed)
        around = Around(tables(known), {one.variable: one for one in found}, known, cells_said.fitted)
        best = ordered(found, cells_said)[:MOST]
        return [_told(one, cells_said, around) for one in best]

    def first_rows(self, value: Any) -> Table:
        """Of an example."""
        return first_rows(value)

    def look(self, expression: str, namespace: Mapping[str, Any]) -> tuple[Any] | None:
        """In a tuple, since the value may be None."""
        try:
            return (look(ast.parse(expression.strip(), mode="eval").body, namespace),)
        except (CannotLook, SyntaxError, ValueError, RecursionError):
            return None

    def require_method(self, model: Any, method: str | None) -> None:
        """Raise UnknownSource as a capture would."""
        method_of(model, method)

    def require_included(self, live: Live) -> None:
        """Raise InvalidInput as a capture would."""
        require_included(live)

    def glance(self, live: Live) -> tuple[Finding, ...]:
        """What the checks find at once."""
        return _clean(glanced(live), live)

    def stale(self, live: Live) -> tuple[Finding, ...]:
        """Whether the notebook would give this model."""
        return _clean(stale(live), live)


def _clean(found: tuple[Finding, ...], live: Live) -> tuple[Finding, ...]:
    """Without the cells' secrets, for which all cells are read only where there is something to be told."""
    return without_secrets(found, live.cells) if found else ()


def _told(one: Candidate, cells: History, around: Around) -> ModelFound:
    cell = cells.made.get(one.variable)
    return ModelFound(
        variable=one.variable,
        kind="function" if one.is_function else one.kind,
        framework=one.framework,
        methods=one.methods,
        method=one.method,
        examples=examples_for(one, around),
        why=_why(one, cell),
        cell=cell,
    )


def _why(one: Candidate, cell: int | None) -> str:
    where = f" in In [{cell}]" if cell else ""
    if one.calls:
        return f"calls {' and '.join(one.calls[:3])}"
    if not one.fitted:
        return "not fitted yet"
    if one.part_of:
        return f"a part of {one.part_of}"
    trained = framework_of(one.value).trained
    return f"{'fitted' if trained else 'made'}{where}" if trained or where else ""
