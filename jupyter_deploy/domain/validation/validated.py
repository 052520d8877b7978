"""The short form of a validation that a release keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jupyter_deploy.domain.base import Value

from .summary import ENDED, SIGNS, URGENCY, reasons
from .validation import Run, Validation, Verdict


class ResultLine(Value):
    """One result of a validation in one sentence: of a gate, a check, or a notebook that did not end."""

    verdict: Verdict
    sentence: str


class Validated(Value):
    """The short form of the last validation that a release was added or promoted by.

    ``said`` has the reasons of the verdict; ``forced`` is the reason of ``--force`` in this or a former validation.
    ``keys`` are those of its runs (``Run.key``), ``keys_alone`` the keys of the same runs without a stable release.
    """

    id: str
    at: datetime
    verdict: Verdict
    said: str
    lines: tuple[ResultLine, ...]
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
    """Return the short form of a validation."""
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


def lines_of(validation: Validation) -> tuple[ResultLine, ...]:
    """Return all results of a validation, failures first."""
    lines = [line for run in validation.runs for line in _lines_of_run(run)]
    lines += [ResultLine(verdict=gate.verdict, sentence=gate.sentence) for gate in validation.live]
    return tuple(sorted(lines, key=lambda line: URGENCY[line.verdict]))


def _lines_of_run(run: Run) -> Iterable[ResultLine]:
    if run.status != "done":
        yield ResultLine(verdict="fail", sentence=_ended(run))
    for check in run.checks:
        detail = f": {check.detail}" if check.detail and not check.passed else ""
        verdict: Verdict = "pass" if check.passed else "fail"
        yield ResultLine(verdict=verdict, sentence=f"check '{check.name}'{detail}: {verdict}")
    for gate in run.gates:
        yield ResultLine(verdict=gate.verdict, sentence=gate.sentence)


def _ended(run: Run) -> str:
    if run.error is not None:
        return f"{run.title} raised {run.error.ename} in cell {run.error.cell}: {run.error.evalue}"
    return ": ".join(filter(None, (run.title, ENDED[run.status], run.detail)))
