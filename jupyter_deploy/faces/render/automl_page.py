"""The page of a search: what was found and proved, the leaderboard, and the table of candidates."""

from __future__ import annotations

import dataclasses

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.model_search.search import ModelSearchResult

from .error_codes import NOT_MET
from .model_selection_page import model_selection_page
from .page import Page, Table


def automl_page(result: ModelSearchResult) -> Page:
    """Make the page of a search, with that of its table of candidates."""
    table = model_selection_page(result.table)
    search = search_page(result)
    rows = [(one.family, f"{one.score:.4g}", f"{one.number}", one.expression) for one in result.best]
    board = Table(
        f"best of each family: {result.metric} in cross-validation", ("family", "score", "trial", "model"), rows
    )
    facts = [*search.facts, *table.facts[:-1], ("next", _next(result))]
    return dataclasses.replace(search, facts=facts, tables=[*table.tables, board])


def search_page(result: ModelSearchResult) -> Page:
    """Make the page of a search alone: what was searched and proved, and the files that were written."""
    findings = [
        Finding(check="automl", severity=note.severity, message=note.message, remedy=note.remedy)
        for note in result.notes
    ]
    if result.why:
        findings.append(Finding(check="automl", severity="warning", message=result.why))
    stopped = ", stopped by you" if result.stopped else ""
    facts = [
        (
            "searched",
            f"{len(result.trials)} models in {result.seconds:.0f} s by {result.engine}, seed {result.seed}{stopped}",
        ),
        ("held out", f"{result.held_out:,} of {result.rows:,} rows: {result.split}"),
        ("proved", f"the models of the notebook answer {result.proved_rows:,} held-out rows as the search's did"),
        ("notebook", result.notebook),
        *([("validation", result.validation)] if result.validation else []),
        *([("deployed", result.deployed)] if result.deployed else []),
    ]
    return Page(_headline(result), findings=findings, facts=facts)


def exit_code_of_automl(result: ModelSearchResult) -> int:
    """Return 0; 1 if no model meets the budget, or none is better than the baseline."""
    return 0 if result.chosen and result.beaten else NOT_MET


def _headline(result: ModelSearchResult) -> str:
    if not result.chosen:
        return f"no model for {result.label} meets the budget"
    if not result.beaten:
        return f"no model for {result.label} beats the baseline"
    score = next(row.score.value for row in result.table.candidates if row.label == result.chosen)
    return f"{result.chosen} predicts {result.label}: {result.metric} {score:.4g} on held-out rows"


def _next(result: ModelSearchResult) -> str:
    if result.deployed:
        return "nbdeploy describe shows the endpoint with this choice, nbdeploy compare a shadow"
    row = next((row for row in result.table.candidates if row.label == result.chosen), None)
    return f"nbdeploy deploy {row.tag} --name ENDPOINT" if row else f"open {result.notebook}"
