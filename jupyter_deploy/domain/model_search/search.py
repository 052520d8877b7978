"""The values of a search: trials, the leaderboard, and the result. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.model_selection.selection import CandidateModel, ModelSelection
from jupyter_deploy.domain.progress import Leaderboard, Standing

BASELINE = "baseline"
ENSEMBLE = "ensemble"

Task = Literal["classification", "regression"]
NoteKind = Literal["note", "warning"]


class SearchNote(Value):
    """Something that the user should know about the data or the search, with the remedy."""

    severity: NoteKind
    message: str
    remedy: str = ""


class Trial(Value):
    """A model that was tried.

    Attributes
    ----------
    family
        Such as ``lightgbm``.
    expression
        The Python expression of the unfitted model, in the words of the notebook.
    score
        The mean of the metric over the folds of the training rows; None: it could not be fitted or scored.
    seconds
        The time of the trial.
    why
        Why there is no score.
    """

    number: int
    family: str
    expression: str
    score: float | None
    seconds: float
    why: str = ""


def best_of_families(trials: Iterable[Trial], *, greater_is_better: bool) -> tuple[Trial, ...]:
    """Return the best trial of each family, the best family first; of equal scores the earliest trial."""
    sign = -1 if greater_is_better else 1
    best: dict[str, Trial] = {}
    for trial in trials:
        if trial.score is None:
            continue
        known = best.get(trial.family)
        if known is None or known.score is None or sign * trial.score < sign * known.score:
            best[trial.family] = trial
    return tuple(sorted(best.values(), key=lambda one: (sign * (one.score or 0.0), one.number)))


def leaderboard(trials: Sequence[Trial], metric: str, *, greater_is_better: bool) -> Leaderboard:
    """Return the best score of each family."""
    best = best_of_families(trials, greater_is_better=greater_is_better)
    tried = Counter(trial.family for trial in trials)
    rows = (
        Standing(name=one.family, score=f"{one.score:.4g}", trial=one.number, trials=tried[one.family]) for one in best
    )
    return Leaderboard(metric=metric, rows=tuple(rows))


class ModelSearchResult(Value):
    """The result of a search.

    Attributes
    ----------
    rows, held_out
        The rows of the table, and those of them that no model was trained on.
    split
        How they were held out, in words.
    trials
        All trials in their order.
    best
        The best trial of each family, the best first.
    stopped
        Ctrl-C ended the search; the trials until then count.
    notebook, validation
        The files that were written.
    proved_rows
        The held-out rows on which each model of the notebook answers as the search's model.
    table
        The candidates.
    chosen
        The name of the row to deploy; empty: no row meets the constraints, or none is better than the baseline.
    beaten
        The chosen model is better than the baseline on the held-out rows, with the interval of the table.
    deployed
        The endpoint with the new release's role and tag; empty: nothing was deployed.
    """

    data: str
    label: str
    task: Task
    metric: str
    greater_is_better: bool
    rows: int
    held_out: int
    split: str
    seed: int
    engine: str
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    seconds: float
    stopped: bool = False
    notes: tuple[SearchNote, ...] = ()
    notebook: str
    validation: str = ""
    proved_rows: int
    table: ModelSelection
    chosen: str = ""
    beaten: bool = False
    why: str = ""
    deployed: str = ""


def chosen_row(table: ModelSelection) -> CandidateModel | None:
    """Return the best row that meets the constraints and is neither the baseline nor the stable release."""
    return next((row for row in table.remaining if row.name not in (BASELINE, "stable")), None)


def beats_baseline(table: ModelSelection, chosen: CandidateModel) -> bool:
    """Whether a row's score is better than the baseline's, and the baseline is worse than the best beyond doubt.

    The table has intervals of the differences to its best row. If that is the chosen row, the baseline's interval must
    exclude 0; of another row the point estimates decide.
    """
    baseline = next((row for row in table.candidates if row.name == BASELINE), None)
    if baseline is None:
        return True
    sign = 1 if table.greater_is_better else -1
    if sign * (chosen.score.value - baseline.score.value) <= 0:
        return False
    against = baseline.against_best
    if chosen.against_best is not None or against is None or against.interval is None:
        return True
    return against.interval.high < 0 if table.greater_is_better else against.interval.low > 0
