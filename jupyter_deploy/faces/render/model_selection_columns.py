"""The columns of a choice among models, for the page and for JupyterLab's view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

from jupyter_deploy.domain.evidence.estimate import Interval
from jupyter_deploy.domain.model_selection.constraints import violations
from jupyter_deploy.domain.model_selection.selection import CandidateModel, ModelSelection, Performance, Score, Spread

NONE = "–"


@dataclass(frozen=True)
class Cell:
    """A figure in words, and its range in words: an interval, or the range of the rounds; empty: it has none."""

    value: str
    range: str = ""

    @property
    def text(self) -> str:
        """Both, as a page shows them."""
        return f"{self.value} {self.range}".strip()


@dataclass(frozen=True)
class Column:
    """One figure of each row."""

    title: str
    cell: Callable[[CandidateModel], Cell]


def score_columns(result: ModelSelection) -> list[Column]:
    """Return the columns of the score, of its differences and of the calibration."""
    best = _against([row.against_best for row in result.candidates], "best")
    columns = [
        Column(
            f"{result.metric} [95\N{NO-BREAK SPACE}%]",
            lambda row: Cell(f"{row.score.value:.4g}", between(row.score.interval)),
        ),
        Column("against the best", lambda row: best(row.against_best)),
    ]
    if result.endpoint:
        stable = _against([row.against_stable for row in result.candidates], NONE)
        columns.append(Column("against stable", lambda row: stable(row.against_stable)))
    if any(row.fits for row in result.candidates):
        columns.append(Column(f"{result.metric} of the fits", _fits))
    if any(row.calibration for row in result.candidates):
        columns += [
            Column("Brier", lambda row: Cell(f"{row.calibration.brier:.3f}" if row.calibration else NONE)),
            Column("ECE", lambda row: Cell(f"{row.calibration.ece:.3f}" if row.calibration else NONE)),
        ]
    return columns


def performance_columns(result: ModelSelection) -> list[Column]:
    """Return the columns of latency, throughput, memory, size and cost."""
    batch = result.candidates[0].performance.batch_rows
    columns = [
        Column("p50 ms", _spread(lambda ran: ran.latency_p50_ms)),
        Column("p99 ms", _spread(lambda ran: ran.latency_p99_ms)),
        Column(f"p50 ms of {batch}\N{NO-BREAK SPACE}rows", _spread(lambda ran: ran.batch_p50_ms)),
        Column("rows/s", lambda row: Cell(f"{row.performance.rows_per_second.median:,.0f}")),
        Column("memory MB", lambda row: _number(row.performance.memory_mb, ".0f")),
        Column("load s", lambda row: Cell(f"{row.performance.load_s:.1f}")),
        Column("files MB", lambda row: Cell(f"{row.artifact_mb:.2g}")),
        Column("libraries MB", lambda row: _number(row.libraries_mb, ".0f")),
    ]
    if result.core_hour is not None:
        columns.append(Column("cost per million", lambda row: _number(row.cost_per_million, ".3g")))
    return columns


def state_of(row: CandidateModel, metric: str) -> str:
    """Return the state of a row in words: its violated constraints, or that it is on the Pareto front."""
    if row.violated:
        return f"violates {', '.join(violations(row, metric))}"
    return "on the Pareto front" if row.on_front else ""


def between(interval: Interval | None) -> str:
    """Render an interval: ``[0.93, 0.97]``; empty: there is none."""
    return "" if interval is None else f"[{interval.low:.3g}, {interval.high:.3g}]"


def _against(scores: Sequence[Score | None], otherwise: str) -> Callable[[Score | None], Cell]:
    """Return how differences are shown: ``-0.020 [-0.034, -0.006]``; without one a word.

    All have the decimals that give each of them two significant digits.
    """
    known = [(score.value, score.interval.low, score.interval.high) for score in scores if score and score.interval]
    sizes = [max(map(abs, one)) for one in known if any(one)]
    decimals = max((1 - floor(log10(size)) for size in sizes), default=0)

    def cell(score: Score | None) -> Cell:
        if score is None:
            return Cell(otherwise)
        if score.interval is None:
            return Cell(f"{score.value:+.3g}", f"({score.why or 'no interval'})")
        value, *ends = (
            f"{one:{sign},.{max(decimals, 0)}f}"
            for one, sign in ((score.value, "+"), (score.interval.low, ""), (score.interval.high, ""))
        )
        return Cell(value, f"[{', '.join(ends)}]")

    return cell


def _fits(row: CandidateModel) -> Cell:
    """Render the spread over fits: ``0.93 [0.91, 0.95] of 5``."""
    if row.fits is None:
        return Cell(NONE)
    return Cell(f"{row.fits.mean:.4g}", f"[{row.fits.low:.3g}, {row.fits.high:.3g}] of {row.fits.count}")


def _spread(figure: Callable[[Performance], Spread]) -> Callable[[CandidateModel], Cell]:
    def cell(row: CandidateModel) -> Cell:
        spread = figure(row.performance)
        return Cell(_digits(spread.median), f"[{_digits(spread.low, 2)}, {_digits(spread.high, 2)}]")

    return cell


def _digits(value: float, digits: int = 3) -> str:
    """Render a number by some significant digits; those before the point are all there."""
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def _number(value: float | None, form: str) -> Cell:
    return Cell(NONE if value is None else format(value, form))
