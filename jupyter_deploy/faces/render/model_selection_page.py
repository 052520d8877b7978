"""The page of a choice among models, and the choices that led to an endpoint's releases."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.evidence.estimate import Interval
from jupyter_deploy.domain.model_selection.selection import (
    STABLE,
    CandidateModel,
    Choice,
    ModelSelection,
    Score,
    Spread,
)
from jupyter_deploy.domain.release.status import ReleaseStatus

from .page import Page, Table

_NONE = "–"


def model_selection_page(result: ModelSelection) -> Page:
    """Make the page: the rows that meet the constraints first, then the others, with the reasons."""
    tables = [_scores(result), _performance(result), *_groups(result)]
    if result.left_out:
        lines = [(one.name, one.engine, one.why) for one in result.left_out]
        tables.append(Table("not measured", ("model", "engine", "why"), lines))
    facts = [
        ("scored", f"{result.metric} on {result.rows_of_data:,} rows; {_direction(result)}"),
        ("intervals", _intervals(result)),
        ("measured", _measured(result)),
        *([("constraints", ", ".join(result.constraints))] if result.constraints else []),
        *_calibrated(result),
        (
            "next",
            'deploy("MODEL", name="ENDPOINT") on this table deploys the snapshot of a row and keeps the table with it',
        ),
    ]
    return Page(_headline(result), facts=facts, tables=tables)


def choice_tables(releases: Sequence[ReleaseStatus]) -> list[Table]:
    """Return one table for each release that a choice led to."""
    return [_choice(one.tag, one.choice) for one in releases if one.choice]


def _choice(tag: str, choice: Choice) -> Table:
    head = ("model", choice.metric, "against the best", "p50 ms", "p99 ms", "memory MB", "cost per million", "")
    rows = [
        (
            f"{'→ ' if row.label == choice.chosen else ''}{row.label}",
            f"{row.score:.4g}{_between(row.interval)}",
            _between(row.against_best).strip() or "best",
            f"{row.latency_p50_ms:.3g}",
            f"{row.latency_p99_ms:.3g}",
            _NONE if row.memory_mb is None else f"{row.memory_mb:.0f}",
            _NONE if row.cost_per_million is None else f"{row.cost_per_million:.3g}",
            f"violates {', '.join(row.violated)}" if row.violated else "",
        )
        for row in choice.candidates
    ]
    return Table(f"{tag}: {choice.words}", head, rows)


def _headline(result: ModelSelection) -> str:
    models = len({row.name for row in result.candidates})
    count = f"{models} model{'s' * (models != 1)} in {len(result.candidates)} rows"
    if not result.constraints:
        return count
    remaining = len(result.remaining)
    return f"{count}: {remaining} meet{'s' * (remaining == 1)} the constraints"


def _scores(result: ModelSelection) -> Table:
    calibrated = _has_calibration(result)
    head = ["model", f"{result.metric} [95 %]", "against the best"]
    head += ["against stable"] if result.endpoint else []
    head += ["Brier", "ECE"] if calibrated else []
    rows = []
    for row in result.candidates:
        cells = [row.label, f"{row.score.value:.4g}{_between(row.score.interval)}", _against(row.against_best)]
        cells += [_against(row.against_stable) if row.name != STABLE else _NONE] if result.endpoint else []
        known = row.calibration
        cells += ([f"{known.brier:.3f}", f"{known.ece:.3f}"] if known else [_NONE, _NONE]) if calibrated else []
        rows.append([*cells, _state(row)])
    return Table("", [*head, ""], rows)


def _performance(result: ModelSelection) -> Table:
    batch = result.candidates[0].performance.batch_rows
    head = ["model", "p50 ms", "p99 ms", f"p50 ms of {batch} rows", "rows/s", "memory MB", "load s", "files MB"]
    head += ["cost per million"] if result.core_hour else []
    rows = []
    for row in result.candidates:
        ran = row.performance
        cells = [
            row.label,
            _spread(ran.latency_p50_ms),
            _spread(ran.latency_p99_ms),
            _spread(ran.batch_p50_ms),
            f"{ran.rows_per_second.median:,.0f}",
            _NONE if ran.memory_mb is None else f"{ran.memory_mb:.0f}",
            f"{ran.load_s:.1f}",
            f"{row.artifact_mb:.2g}",
        ]
        cells += [_NONE if row.cost_per_million is None else f"{row.cost_per_million:.3g}"] if result.core_hour else []
        rows.append(cells)
    return Table("", head, rows)


def _state(row: CandidateModel) -> str:
    if row.violated:
        return f"violates {', '.join(row.violated)}"
    return "on the Pareto front" if row.on_front else ""


def _against(score: Score | None) -> str:
    """Render a difference: ``-0.02 [-0.03, -0.01]``; of the best row itself a word."""
    if score is None:
        return "best"
    if score.interval is None:
        return f"{score.value:+.3g} ({score.why or 'no interval'})"
    return f"{score.value:+.3g}{_between(score.interval)}"


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f" [{interval.low:.3g}, {interval.high:.3g}]"


def _spread(spread: Spread) -> str:
    return f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]"


def _groups(result: ModelSelection) -> list[Table]:
    rows = [
        (
            row.label,
            ", ".join(f"{name}={value}" for name, value in one.group.items()),
            f"{one.rows:,}",
            f"{one.score.value:.4g}",
            _between(one.score.interval).strip() or one.score.why or _NONE,
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


def _calibrated(result: ModelSelection) -> list[tuple[str, str]]:
    known = next((row.calibration for row in result.candidates if row.calibration), None)
    words = "Brier's score and the expected calibration error of the notebook's predict_proba, 0 is best; ECE over"
    return [("calibration", f"{words} {known.bins} bins of equal width")] if known else []


def _has_calibration(result: ModelSelection) -> bool:
    return any(row.calibration for row in result.candidates)
