"""The parts of an operation's progress, and how a headless kernel tells its runner of it."""

from __future__ import annotations

from .base import Value


class Standing(Value):
    """A row of a leaderboard.

    Attributes
    ----------
    score
        The best one so far, in words.
    trial
        The number of the trial that has it.
    trials
        Trials of this name so far.
    """

    name: str
    score: str
    trial: int
    trials: int


class Leaderboard(Value):
    """The best scores of a search so far, the best first. The search can be ended: they are kept."""

    metric: str
    rows: tuple[Standing, ...]

    @property
    def words(self) -> str:
        """The scores in short: ``best accuracy: lightgbm 0.9737, forest 0.9649``."""
        return f"best {self.metric}: {', '.join(f'{row.name} {row.score}' for row in self.rows)}"


PROGRESS_MIME = "application/vnd.nbdeploy.progress+json"
"""The MIME type by which a headless kernel displays the title of each step; the runner takes it out of the output."""

PROGRESS = "NBDEPLOY_PROGRESS"
"""Set in a kernel whose runner reads ``PROGRESS_MIME``; elsewhere a front end might show it in place of the HTML."""
