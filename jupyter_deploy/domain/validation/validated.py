"""What a release keeps of its validation, in short. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jupyter_deploy.domain.base import Value

from .summary import ENDED, SIGNS, URGENCY, reasons
from .validation import Run, Validation, Verdict


class Line(Value):
    """One thing that a validation found, in one sentence: a gate, a check that failed, a notebook that did not end."""

    verdict: Verdict
    sentence: str


class Validated(Value):
    """What a release keeps of the last validation that it was released by, in short.

    ``said`` is what led to the verdict; ``forced`` why it was released against its gates, by this validation or by a
    former one: it stays.
    ``keys`` are its runs' (``Run.key``), ``keys_alone`` what they would have been without a stable release beside it.
    """

    id: str
    at: datetime
    verdict: Verdict
    said: str
    lines: tuple[Line, ...]
    report: str | None = None
    forced: str | None = None
    keys: tuple[str, ...] = ()
    keys_alone: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``✓ 3 gates hold``, ``✗ 1 of 3 gates does not hold; forced: a customer waits``."""
        earlier = " earlier" if self.verdict == "pass" else ""
        return f"{SIGNS[self.verdict]} {self.said}" + (f"; forced{earlier}: {self.forced}" if self.forced else "")


def in_short(validation: Validation, keys: tuple[str, ...], keys_alone: tuple[str, ...] = ()) -> Validated:
    """What a release keeps of a validation."""
    return Validated(
        id=validation.id,
        at=validation.at,
        verdict=validation.verdict,
        said=reasons(validation),
        lines=lines_of(validation),
        report=validation.report,
        forced=validation.forced,
        keys=keys,
        keys_alone=keys_alone,
    )


def lines_of(validation: Validation) -> tuple[Line, ...]:
    """All that speaks for and against what was validated, what speaks against it first."""
    lines = [line for run in validation.runs for line in _lines_of_run(run)]
    lines += [Line(verdict=gate.verdict, sentence=gate.sentence) for gate in validation.live]
    return tuple(sorted(lines, key=lambda line: URGENCY[line.verdict]))


def _lines_of_run(run: Run) -> Iterable[Line]:
    if run.status != "done":
        yield Line(verdict="fail", sentence=_ended(run))
    for check in run.checks:
        said = f": {check.detail}" if check.detail and not check.passed else ""
        verdict: Verdict = "pass" if check.passed else "fail"
        yield Line(verdict=verdict, sentence=f"check '{check.name}'{said}: {verdict}")
    for gate in run.gates:
        yield Line(verdict=gate.verdict, sentence=gate.sentence)


def _ended(run: Run) -> str:
    if run.error is not None:
        return f"{run.title} raised {run.error.ename} in cell {run.error.cell}: {run.error.evalue}"
    return ": ".join(filter(None, (run.title, ENDED[run.status], run.detail)))
