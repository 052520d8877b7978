"""The runs of a validation: each notebook asked of the candidate and, where a gate needs it, of stable; then judged."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Literal

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.model_calls import AGREEMENT, metrics_of_calls
from jupyter_deploy.domain.validation.ports import Job, Ran, Served
from jupyter_deploy.domain.validation.validation import GateResult, Metric, Run, Underway, titles

from .run_plan import Planned, compares


@dataclass(frozen=True)
class Subject:
    """What is validated (None: the notebooks ask no model), and the stable release to compare it with."""

    snapshot: Snapshot | None
    endpoint: str | None = None
    stable: Snapshot | None = None

    @property
    def is_stable(self) -> bool:
        """Whether it is compared with itself."""
        return self.snapshot is not None and self.stable is not None and self.snapshot.tag == self.stable.tag


@dataclass(frozen=True)
class How:
    """How notebooks are run.

    ``workers`` kernels at once, each started from nothing if ``cold``; ``notes`` are kept with the validation, as are
    ``runs`` and ``live``, found already.
    """

    workers: int = 1
    timeout: timedelta | None = None
    fail_fast: bool = False
    cold: bool = False
    cwd: Path | None = None
    executed: Path | None = None
    trigger: Literal["validate", "deploy", "traffic", "promote"] = "validate"
    notes: Sequence[str] = ()
    runs: Sequence[Run] = ()
    live: Sequence[GateResult] = ()


Side = Literal["candidate", "stable"]

_NOTHING_ASKED = "the notebook asked the model nothing, so its figures may be of something else"


@dataclass(frozen=True)
class Sides:
    """The servers of what is validated and of stable; None: nothing needs that one."""

    model: Served | None
    stable: Served | None

    def asked(self, side: Side) -> Served | None:
        """Which of them is ``model()`` in a run."""
        return self.stable if side == "stable" else self.model

    def variables(self, subject: Subject, job: str, side: Side) -> dict[str, str]:
        """What the kernel of a job is told."""
        found: dict[str, str] = {}
        asked, snapshot = self.asked(side), subject.stable if side == "stable" else subject.snapshot
        if asked is not None and snapshot is not None:
            found |= {"NBDEPLOY_MODEL_URL": asked.url_for(job), "NBDEPLOY_MODEL": snapshot.tag}
            if subject.snapshot is not None:  # what its author calls it, on both sides
                found |= {"NBDEPLOY_SUBJECT": subject.snapshot.tag, "NBDEPLOY_SUBJECT_ENDPOINT": subject.endpoint or ""}
        if self.stable is not None and subject.stable is not None:
            found |= {
                "NBDEPLOY_REFERENCE_URL": self.stable.url_for(f"{job}.reference"),
                "NBDEPLOY_REFERENCE": subject.stable.tag,
            }
        return found


@contextmanager
def served(planned: Sequence[Planned], subject: Subject, ports: Ports) -> Iterator[Sides]:
    """Within, what the notebooks ask for answers; both start at once, and beside the kernels."""
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(ports.servers.serving(subject.snapshot)) if subject.snapshot and planned else None
        stable = None
        if subject.stable is not None and any(p.needs_stable or p.asks_reference for p in planned):
            stable = model if subject.is_stable else stack.enter_context(ports.servers.serving(subject.stable))
        yield Sides(model, stable)


class Runs:
    """Runs what is planned, in its order; whatever happens to one leaves the others alone.

    Parameters
    ----------
    folder
        Where the notebooks as they ran are written.
    """

    def __init__(
        self, planned: Sequence[Planned], subject: Subject, how: How, ports: Ports, report: Report, *, folder: Path
    ) -> None:
        self._planned, self._subject, self._how, self._ports, self._report = planned, subject, how, ports, report
        self._titles = titles([(one.origin, one.parameters) for one in planned])
        self._outputs = [folder / name for name in output_names(planned)]
        self._lock = threading.Lock()
        self._halted = ""  # why no other run may begin
        self._begun: dict[int, float] = {}
        self._ran: list[dict[Side, Ran]] = [{} for _ in planned]
        self._done: dict[int, Run] = {}

    def all(self, sides: Sides) -> tuple[list[Run], BaseException | None]:
        """All runs, and what ended them before their time (Ctrl-C, a polite kill), if anything did."""
        for number in range(len(self._planned)):
            self._tell(number)
        pool = ThreadPoolExecutor(self._how.workers, thread_name_prefix="validation")
        stopped: BaseException | None = None
        try:
            tasks = [(number, side) for number in range(len(self._planned)) for side in self._sides_of(number, sides)]
            futures = [pool.submit(self._side, number, side, sides) for number, side in tasks]
            for future in futures:
                future.result()
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            stopped = error
            self._halted = "it was stopped before this one began"
            self._report(Step(number=1, total=1, title="ending the kernels"))
        finally:
            if stopped is not None:
                self._ports.validations.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
        return [self._result(number) for number in range(len(self._planned))], stopped

    def _sides_of(self, number: int, sides: Sides) -> tuple[Side, ...]:
        planned = self._planned[number]
        twice = sides.stable is not None and planned.needs_stable and not self._subject.is_stable
        return ("candidate", "stable") if twice else ("candidate",)

    def _side(self, number: int, side: Side, sides: Sides) -> None:
        with self._lock:
            if self._halted and number not in self._begun:
                return
            self._begun.setdefault(number, time.monotonic())
        try:
            ran = self._run(number, side, sides)
        except Exception as error:  # noqa: BLE001 - a full disk, or a bug: it fails this run alone
            said = str(error) if isinstance(error, DeployError) else f"{type(error).__name__}: {error}"
            ran = Ran("raised", time.monotonic() - self._begun[number], detail=said)
        with self._lock:
            self._ran[number][side] = ran
            complete = len(self._ran[number]) == len(self._sides_of(number, sides))
        if complete:
            self._finish(number, sides)

    def _run(self, number: int, side: Side, sides: Sides) -> Ran:
        planned, how, job = self._planned[number], self._how, _job(number, side)
        asked = sides.asked(side)
        if asked is not None and planned.asks_model:
            asked.check()  # one that could not be started fails a run before its kernel begins
        output = self._outputs[number]
        began = time.monotonic()

        def on_cell(cell: int) -> None:
            self._tell(number, cell, side=side, seconds=time.monotonic() - began)

        on_cell(0)
        ran = self._ports.validations.run(
            Job(
                notebook=planned.notebook,
                parameters=planned.parameters,
                output=output_of(output, side),
                variables={**planned.variables, **sides.variables(self._subject, job, side)},
                cwd=how.cwd,
                timeout=how.timeout.total_seconds() if how.timeout else None,
            ),
            on_cell,
        )
        try:
            if asked is not None and (planned.asks_model or ran.status != "done"):
                asked.check()
        except DeployError as error:  # what the kernel saw of it is a broken connection
            return replace(ran, status="raised" if ran.status == "done" else ran.status, detail=str(error))
        return ran

    def _finish(self, number: int, sides: Sides) -> None:
        planned, ran = self._planned[number], self._ran[number]
        done, of_stable = ran["candidate"], ran.get("stable")
        gates: tuple[GateResult, ...] = ()
        try:
            done, of_stable = self._with_calls(number, done, of_stable, sides)
            if self._subject.is_stable and planned.needs_stable:
                of_stable = done
            gates = self._judged(planned, done, of_stable)
        except Exception as error:  # noqa: BLE001 - as above
            done = _failed(done, error)
        stable = ran.get("stable")
        if stable is not None and stable.status != "done" and done.status == "done":
            status = "interrupted" if stable.status == "interrupted" else done.status
            done = replace(done, status=status, detail=_joined(done.detail, _of_stable(stable)))
        run = self._as_run(number, done, of_stable, gates)
        with self._lock:
            self._done[number] = run
            if self._how.fail_fast and run.verdict == "fail" and not self._halted:
                self._halted = f"{self._titles[number]} failed before"
        self._tell(number, planned.notebook.cells, state=run.verdict, seconds=run.seconds)

    def _as_run(self, number: int, done: Ran, of_stable: Ran | None, gates: tuple[GateResult, ...]) -> Run:
        planned, stable = self._planned[number], self._ran[number].get("stable")
        stable_metrics = of_stable.metrics if of_stable else ()
        try:
            done = replace(done, metrics=self._with_intervals(done.metrics))
            stable_metrics = self._with_intervals(stable_metrics)
        except Exception as error:  # noqa: BLE001 - as above: what was measured is not lost with it
            done = _failed(done, error)
        return Run(
            notebook=planned.origin,
            parameters=planned.kept_parameters,
            kernel=planned.notebook.kernel,
            status=done.status,
            seconds=time.monotonic() - self._begun[number] if number in self._begun else 0.0,
            metrics=done.metrics,
            stable_metrics=stable_metrics,
            checks=done.checks,
            gates=gates,
            error=done.error,
            detail=done.detail,
            executed=str(done.executed) if done.executed else None,
            executed_stable=str(stable.executed) if stable and stable.executed else None,
            key=planned.key,
        )

    def _result(self, number: int) -> Run:
        """What came of a run; where it did not begin, or was stopped between its sides, that."""
        if number in self._done:
            return self._done[number]
        candidate = self._ran[number].get("candidate")
        if candidate is not None:
            run = self._as_run(number, replace(candidate, status="interrupted"), None, ())
        else:
            run = self._as_run(number, Ran("not run", 0.0, detail=self._halted), None, ())
        self._tell(number, state="not run")
        return run

    def _with_calls(self, number: int, done: Ran, of_stable: Ran | None, sides: Sides) -> tuple[Ran, Ran | None]:
        """With the metrics that no notebook has to record: what the servers saw of the runs' calls."""
        if sides.model is None or self._subject.snapshot is None:
            return done, of_stable
        job = _job(number, "candidate")
        signature = (self._subject.stable or self._subject.snapshot).manifest.signature
        rule = Rule.of(signature.answer_dtype, None, None)
        others = None
        if self._subject.is_stable:
            others = sides.model.calls(job)
        elif sides.stable is not None:
            others = sides.stable.calls(_job(number, "stable") if of_stable else f"{job}.reference")
        mine = sides.model.calls(job)
        found = metrics_of_calls(mine, others, rule, done.metrics)
        nothing = _NOTHING_ASKED if done.status == "done" and self._planned[number].asks_model else ""
        unasked = nothing if not mine.calls and not mine.dropped else ""
        words = _joined(done.detail, mine.left_out, unasked)
        done = replace(done, metrics=(*done.metrics, *found), detail=words)
        if of_stable is not None and others is not None:
            found = metrics_of_calls(others, None, rule, of_stable.metrics)
            of_stable = replace(of_stable, metrics=(*of_stable.metrics, *found))
        return done, of_stable

    def _with_intervals(self, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
        """Kept with the metrics, since their rows are not."""
        interval = self._ports.judge.interval
        return tuple(metric.model_copy(update={"interval": interval(metric)}) for metric in metrics)

    def _judged(self, planned: Planned, done: Ran, of_stable: Ran | None) -> tuple[GateResult, ...]:
        stable = of_stable.metrics if of_stable else None
        broken = of_stable if of_stable is not None and of_stable is not done and of_stable.status != "done" else None
        found = []
        for gate, origin in planned.gates:
            judged = self._ports.judge.judge(gate, done.metrics, stable)
            # What a run that broke off measured is not what stable reaches.
            if broken is not None and compares(gate) and (judged.value is not None or gate.metric == AGREEMENT):
                judged = _undecided(gate, judged, broken)
            found.append(judged.model_copy(update={"origin": origin}))
        return tuple(found)

    def _tell(self, number: int, cell: int = 0, **more: object) -> None:
        notebook = self._planned[number].notebook
        title, words = self._titles[number], notebook.lines[cell - 1] if 0 < cell <= len(notebook.lines) else ""
        told = {"state": "running" if "side" in more else "waiting", "words": words, **more}
        self._report(
            Underway.model_validate({"run": number, "title": title, "cell": cell, "cells": notebook.cells} | told)
        )


def _failed(ran: Ran, error: Exception) -> Ran:
    """A run whose result cannot be judged; what ended it before is still told."""
    status = "raised" if ran.status == "done" else ran.status
    words = f"its result cannot be judged: {type(error).__name__}: {error}"
    return replace(ran, status=status, detail=_joined(ran.detail, words))


def _joined(*words: str) -> str:
    """What is to be said of a run, without what is empty."""
    return "; ".join(filter(None, words))


def _job(number: int, side: Side) -> str:
    return f"{number + 1:02}{'.stable' if side == 'stable' else ''}"


def _undecided(gate: Gate, judged: GateResult, of_stable: Ran) -> GateResult:
    label = gate.label if judged.value is None else f"{gate.label} {judged.value:.4g}"
    return GateResult(
        expression=gate.expression,
        verdict="inconclusive",
        sentence=f"{label}: {' '.join(_of_stable(of_stable).split())}: inconclusive",
        value=judged.value,
        n=judged.n,
    )


def _of_stable(ran: Ran) -> str:
    """Why stable's figures are missing or not complete."""
    if ran.error is not None:
        return f"asked of stable, cell {ran.error.cell} raised {ran.error.ename}: {ran.error.evalue}"
    return f"asked of stable, it was {ran.status}{f': {ran.detail}' if ran.detail else ''}"


def output_names(planned: Sequence[Planned]) -> list[str]:
    """Names of the notebooks as they ran: each one's own, with a number where it is another one's already.

    ``.stable`` stands in the name of what the same notebook was of stable, so that is kept free too.
    """
    stems = [one.notebook.path.stem for one in planned]
    several, taken, found = Counter(stems), set[str](), dict[int, str]()

    def take(name: str) -> bool:
        both = {name.casefold(), f"{name}.stable".casefold()}  # a file system may take upper and lower case for one
        free = both.isdisjoint(taken)
        taken.update(both if free else ())
        return free

    own = [number for number, stem in enumerate(stems) if several[stem] == 1 and take(stem)]
    for number, stem in enumerate(stems):
        found[number] = stem if number in own else next(n for i in count(1) if take(n := f"{stem}-{i}"))
    return [f"{found[number]}.ipynb" for number in range(len(stems))]


def output_of(output: Path, side: Side) -> Path:
    """Where a side's notebook is written, of where the candidate's is."""
    return output.with_suffix(".stable.ipynb") if side == "stable" else output
