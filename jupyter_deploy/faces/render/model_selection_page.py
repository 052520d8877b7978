"""The page of a choice among models, and the choices that led to an endpoint's releases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.model_selection.selection import CandidateModel, Choice, ModelSelection
from jupyter_deploy.domain.release.status import ReleaseStatus

from .model_selection_columns import NONE, Column, between, performance_columns, score_columns, state_of
from .page import Page, Table


def model_selection_page(result: ModelSelection) -> Page:
    """Make the page: the rows that meet the constraints first, then the others, with the reasons."""
    tables = [_scores(result), _performance(result), *_groups(result)]
    if result.left_out:
        lines = [(one.name, one.engine, one.why) for one in result.left_out]
        tables.append(Table("not measured", ("model", "engine", "why"), lines))
    facts = [
        *facts_of(result),
        (
            "next",
            'deploy("MODEL", name="ENDPOINT") on this table deploys the snapshot of a row and keeps the table with it',
        ),
    ]
    return Page(headline(result), facts=facts, tables=tables)


def facts_of(result: ModelSelection) -> list[tuple[str, str]]:
    """Return the facts about the scores and the measurement."""
    return [
        ("scored", f"{result.metric} on {result.rows_of_data:,} rows; {_direction(result)}"),
        ("intervals", _intervals(result)),
        ("measured", _measured(result)),
        *([("constraints", ", ".join(result.constraints))] if result.constraints else []),
        *_fits(result),
        *_calibrated(result),
    ]


def choice_tables(releases: Sequence[ReleaseStatus]) -> list[Table]:
    """Return one table for each release that a choice led to."""
    return [_choice(one.tag, one.choice) for one in releases if one.choice]


def _choice(tag: str, choice: Choice) -> Table:
    head = ("model", choice.metric, "against the best", "p50 ms", "p99 ms", "memory MB", "cost per million", "")
    rows = [
        (
            f"{'→ ' if row.label == choice.chosen else ''}{row.label}",
            f"{row.score:.4g} {between(row.interval)}",
            between(row.against_best) or "best",
            f"{row.latency_p50_ms:.3g}",
            f"{row.latency_p99_ms:.3g}",
            NONE if row.memory_mb is None else f"{row.memory_mb:.0f}",
            NONE if row.cost_per_million is None else f"{row.cost_per_million:.3g}",
            f"violates {', '.join(row.violated)}" if row.violated else "",
        )
        for row in choice.candidates
    ]
    return Table(f"{tag}: {choice.words}", head, rows)


def headline(result: ModelSelection) -> str:
    """Count the models and the rows that meet the constraints."""
    models = len({row.name for row in result.candidates})
    count = f"{models} model{'s' * (models != 1)} in {len(result.candidates)} rows"
    if not result.constraints:
        return count
    remaining = len(result.remaining)
    return f"{count}: {remaining} meet{'s' * (remaining == 1)} the constraints"


def _scores(result: ModelSelection) -> Table:
    return _table(result, score_columns(result), lambda row: state_of(row, result.metric))


def _performance(result: ModelSelection) -> Table:
    return _table(result, performance_columns(result))


def _table(
    result: ModelSelection, columns: Sequence[Column], last: Callable[[CandidateModel], str] | None = None
) -> Table:
    head = ["model", *(column.title for column in columns), *([""] if last else [])]
    rows = [
        [row.label, *(column.cell(row).text for column in columns), *([last(row)] if last else [])]
        for row in result.candidates
    ]
    return Table("", head, rows)


def _groups(result: ModelSelection) -> list[Table]:
    rows = [
        (
            row.label,
            ", ".join(f"{name}={value}" for name, value in one.group.items()),
            f"{one.rows:,}",
            f"{one.score.value:.4g}",
            between(one.score.interval) or one.score.why or NONE,
        )
        for row in result.candidates
        for one in row.groups
    ]
    head = ("model", "subgroup", "rows", result.metric, "95 % interval, each on its own")
    return [Table(f"{result.metric} in subgroups", head, rows)] if rows else []


def _direction(result: ModelSelection) -> str:
    return "greater is better" if result.greater_is_better else "less is better"


def _intervals(result: ModelSelection) -> str:
    level = percent_in_words(result.level)
    return f"each score's own at 95 %; differences on the same rows, all pairs together at {level} (max-T)"


def _measured(result: ModelSelection) -> str:
    ran = result.candidates[0].performance
    where = f" of {result.processor}" if result.processor else ""
    return (
        f"one clean process a row on one core{where}, {ran.rounds} interleaved rounds: median [least, most] of the "
        "rounds; from JSON to JSON, without HTTP and records; memory at its peak"
    )


def _fits(result: ModelSelection) -> list[tuple[str, str]]:
    if not any(row.fits for row in result.candidates):
        return []
    words = "mean [least, most] of a model's fits on the same rows, in the notebook: the spread of training, and no"
    return [("fits", f"{words} interval of the rows; the first fit is the one that is measured and deployed")]


def _calibrated(result: ModelSelection) -> list[tuple[str, str]]:
    known = next((row.calibration for row in result.candidates if row.calibration), None)
    if known is None:
        return []
    of = "the answers" if known.served else "the notebook's predict_proba"
    words = f"Brier's score and the expected calibration error of {of}, 0 is best; ECE over {known.bins} bins of"
    return [("calibration", f"{words} equal width")]
