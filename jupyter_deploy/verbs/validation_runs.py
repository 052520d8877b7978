"""The runs of a validation: each notebook with the candidate and, if a gate needs it, with stable; then judged."""

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
from jupyter_deploy.domain.validation.validation import GateResult, Metric, Run, Trigger, Underway, titles

from .gates.attempts import GateAttempts
from .run_plan import Planned, compares


@dataclass(frozen=True)
class Candidate:
    """The snapshot to validate (None: the notebooks call no model), its endpoint, and its stable release."""

    snapshot: Snapshot | None
    endpoint: str | None = None
    stable: Snapshot | None = None

    @property
    def is_stable(self) -> bool:
        """Whether the candidate is the stable release itself."""
        return self.snapshot is not None and self.stable is not None and self.snapshot.tag == self.stable.tag


@dataclass(frozen=True)
class RunOptions:
    """Options of a validation's runs.

    ``workers`` kernels run at once; ``cold`` starts each without a fork server. ``notes`` are stored with the
    validation, as are the earlier results ``runs`` and ``live``.
    """

    workers: int = 1
    timeout: timedelta | None = None
    fail_fast: bool = False
    cold: bool = False
    cwd: Path | None = None
    executed: Path | None = None
    trigger: Trigger = "validate"
    notes: Sequence[str] = ()
    runs: Sequence[Run] = ()
    live: Sequence[GateResult] = ()

    @property
    def counts_attempts(self) -> bool:
        """Whether a repetition is one more attempt at the gates: those of a batch ask about other answers each time."""
        return self.trigger != "batch"


Side = Literal["candidate", "stable"]

_NO_CALLS = "the notebook did not call the model, so its figures may be of another one"


@dataclass(frozen=True)
class Servers:
    """The model servers of the candidate and of stable; None: no run needs the server."""

    model: Served | None
    stable: Served | None

    def model_of(self, side: Side) -> Served | None:
        """The server behind ``model()`` in a run."""
        return self.stable if side == "stable" else self.model

    def variables(self, candidate: Candidate, job: str, side: Side) -> dict[str, str]:
        """The environment variables of a job's kernel."""
        variables: dict[str, str] = {}
        model, snapshot = self.model_of(side), candidate.stable if side == "stable" else candidate.snapshot
        if model is not None and snapshot is not None:
            variables |= {"NBDEPLOY_MODEL_URL": model.url_for(job), "NBDEPLOY_MODEL": snapshot.tag}
            if candidate.snapshot is not None:  # the candidate's names, for the run with stable too
                variables["NBDEPLOY_SUBJECT"] = candidate.snapshot.tag
                variables["NBDEPLOY_SUBJECT_ENDPOINT"] = candidate.endpoint or ""
        if self.stable is not None and candidate.stable is not None:
            variables |= {
                "NBDEPLOY_REFERENCE_URL": self.stable.url_for(f"{job}.reference"),
                "NBDEPLOY_REFERENCE": candidate.stable.tag,
            }
        return variables


@contextmanager
def served(planned: Sequence[Planned], candidate: Candidate, ports: Ports) -> Iterator[Servers]:
    """Serve the models that the notebooks call; both servers start at once, and the kernels do not wait for them."""
    with contextlib.ExitStack() as stack:
        model = stable = None
        if candidate.snapshot and planned:
            model = stack.enter_context(ports.servers.serving(candidate.snapshot))
        if candidate.stable is not None and any(p.needs_stable or p.asks_reference for p in planned):
            stable = model if candidate.is_stable else stack.enter_context(ports.servers.serving(candidate.stable))
        yield Servers(model, stable)


class Runs:
    """Runs the planned notebooks in order; a failed run affects no other.

    Parameters
    ----------
    folder
        The folder for the executed notebooks.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        candidate: Candidate,
        options: RunOptions,
        ports: Ports,
        report: Report,
        *,
        folder: Path,
    ) -> None:
        self._planned, self._candidate, self._options = planned, candidate, options
        self._ports, self._report = ports, report
        self._titles = titles([(one.origin, one.parameters) for one in planned])
        self._outputs = [folder / name for name in output_names(planned)]
        self._lock = threading.Lock()
        self._halted = ""  # why no other run may begin
        self._begun: dict[int, float] = {}
        self._ran: list[dict[Side, Ran]] = [{} for _ in planned]
        self._done: dict[int, Run] = {}

    def all(self, servers: Servers) -> tuple[list[Run], BaseException | None]:
        """All runs, and the interrupt (Ctrl-C, SIGTERM) that ended them early, if any."""
        for number in range(len(self._planned)):
            self._report_progress(number)
        pool = ThreadPoolExecutor(self._options.workers, thread_name_prefix="validation")
        stopped: BaseException | None = None
        try:
            tasks = [(number, side) for number in range(len(self._planned)) for side in self._sides_of(number, servers)]
            futures = [pool.submit(self._side, number, side, servers) for number, side in tasks]
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

    def _sides_of(self, number: int, servers: Servers) -> tuple[Side, ...]:
        planned = self._planned[number]
        twice = servers.stable is not None and planned.needs_stable and not self._candidate.is_stable
        return ("candidate", "stable") if twice else ("candidate",)

    def _side(self, number: int, side: Side, servers: Servers) -> None:
        with self._lock:
            if self._halted and number not in self._begun:
                return
            self._begun.setdefault(number, time.monotonic())
        try:
            ran = self._run(number, side, servers)
        except Exception as error:  # noqa: BLE001 - a full disk, or a bug: it fails this run alone
            detail = str(error) if isinstance(error, DeployError) else f"{type(error).__name__}: {error}"
            ran = Ran("raised", time.monotonic() - self._begun[number], detail=detail)
        with self._lock:
            self._ran[number][side] = ran
            complete = len(self._ran[number]) == len(self._sides_of(number, servers))
        if complete:
            self._finish(number, servers)

    def _run(self, number: int, side: Side, servers: Servers) -> Ran:
        planned, options, job = self._planned[number], self._options, _job(number, side)
        model = servers.model_of(side)
        if model is not None and planned.asks_model:
            model.check()  # a server that did not start fails a run before its kernel starts
        output = self._outputs[number]
        began = time.monotonic()

        def on_cell(cell: int) -> None:
            self._report_progress(number, cell, side=side, seconds=time.monotonic() - began)

        on_cell(0)
        ran = self._ports.validations.run(
            Job(
                notebook=planned.notebook,
                parameters=planned.parameters,
                output=output_of(output, side),
                variables={**planned.variables, **servers.variables(self._candidate, job, side)},
                cwd=options.cwd,
                timeout=options.timeout.total_seconds() if options.timeout else None,
            ),
            on_cell,
        )
        try:
            if model is not None and (planned.asks_model or ran.status != "done"):
                model.check()
        except DeployError as error:  # the kernel saw a broken connection only
            return replace(ran, status="raised" if ran.status == "done" else ran.status, detail=str(error))
        return ran

    def _finish(self, number: int, servers: Servers) -> None:
        planned, ran = self._planned[number], self._ran[number]
        done, of_stable = ran["candidate"], ran.get("stable")
        gates: tuple[GateResult, ...] = ()
        try:
            done, of_stable = self._with_calls(number, done, of_stable, servers)
            if self._candidate.is_stable and planned.needs_stable:
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
            if self._options.fail_fast and run.verdict == "fail" and not self._halted:
                self._halted = f"{self._titles[number]} failed before"
        self._report_progress(number, planned.notebook.cells, state=run.verdict, seconds=run.seconds)

    def _as_run(self, number: int, done: Ran, of_stable: Ran | None, gates: tuple[GateResult, ...]) -> Run:
        planned, stable = self._planned[number], self._ran[number].get("stable")
        stable_metrics = of_stable.metrics if of_stable else ()
        try:
            done = replace(done, metrics=self._with_intervals(done.metrics))
            stable_metrics = self._with_intervals(stable_metrics)
        except Exception as error:  # noqa: BLE001 - as above: its metrics are kept
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
        """The result of a run; a run that did not start, or was stopped before stable's part, has a status for that."""
        if number in self._done:
            return self._done[number]
        candidate = self._ran[number].get("candidate")
        if candidate is not None:
            run = self._as_run(number, replace(candidate, status="interrupted"), None, ())
        else:
            run = self._as_run(number, Ran("not run", 0.0, detail=self._halted), None, ())
        self._report_progress(number, state="not run")
        return run

    def _with_calls(self, number: int, done: Ran, of_stable: Ran | None, servers: Servers) -> tuple[Ran, Ran | None]:
        """Add the metrics that the servers made of the runs' calls."""
        if servers.model is None or self._candidate.snapshot is None:
            return done, of_stable
        job = _job(number, "candidate")
        signature = (self._candidate.stable or self._candidate.snapshot).manifest.signature
        rule = Rule.of(signature.answer_dtype, None, None)
        others = None
        if self._candidate.is_stable:
            others = servers.model.calls(job)
        elif servers.stable is not None:
            others = servers.stable.calls(_job(number, "stable") if of_stable else f"{job}.reference")
        mine = servers.model.calls(job)
        metrics = metrics_of_calls(mine, others, rule, done.metrics)
        no_calls = _NO_CALLS if done.status == "done" and self._planned[number].asks_model else ""
        no_calls = no_calls if not mine.calls and not mine.dropped else ""
        words = _joined(done.detail, mine.left_out, no_calls)
        done = replace(done, metrics=(*done.metrics, *metrics), detail=words)
        if of_stable is not None and others is not None:
            metrics = metrics_of_calls(others, None, rule, of_stable.metrics)
            of_stable = replace(of_stable, metrics=(*of_stable.metrics, *metrics))
        return done, of_stable

    def _with_intervals(self, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
        """Store intervals with the metrics, since documents have no rows."""
        interval = self._ports.judge.interval
        return tuple(metric.model_copy(update={"interval": interval(metric)}) for metric in metrics)

    def _judged(self, planned: Planned, done: Ran, of_stable: Ran | None) -> tuple[GateResult, ...]:
        stable = of_stable.metrics if of_stable else None
        broken = of_stable if of_stable is not None and of_stable is not done and of_stable.status != "done" else None
        attempts = GateAttempts(
            planned,
            self._ports,
            snapshot=self._candidate.snapshot if self._options.counts_attempts else None,
            stable=self._candidate.stable,
            metrics=done.metrics,
            stable_metrics=stable,
        )
        results = []
        for gate, origin in planned.gates:
            judged = self._ports.judge.judge(gate, done.metrics, stable, attempts.number(gate))
            # The metrics of a run that broke off are not stable's.
            if broken is not None and compares(gate) and (judged.value is not None or gate.metric == AGREEMENT):
                judged = _undecided(gate, judged, broken)
            results.append((gate, judged.model_copy(update={"origin": origin})))
        attempts.settle(results)
        return tuple(result for _, result in results)

    def _report_progress(self, number: int, cell: int = 0, **more: object) -> None:
        notebook = self._planned[number].notebook
        title, words = self._titles[number], notebook.lines[cell - 1] if 0 < cell <= len(notebook.lines) else ""
        progress = {"state": "running" if "side" in more else "waiting", "words": words, **more}
        self._report(
            Underway.model_validate({"run": number, "title": title, "cell": cell, "cells": notebook.cells} | progress)
        )


def _failed(ran: Ran, error: Exception) -> Ran:
    """A run whose result cannot be judged; its earlier detail is kept."""
    status = "raised" if ran.status == "done" else ran.status
    words = f"its result cannot be judged: {type(error).__name__}: {error}"
    return replace(ran, status=status, detail=_joined(ran.detail, words))


def _joined(*words: str) -> str:
    """The parts of a detail that are not empty."""
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
    """The reason why stable's metrics are missing or incomplete."""
    if ran.error is not None:
        return f"with stable, cell {ran.error.cell} raised {ran.error.ename}: {ran.error.evalue}"
    return f"with stable, it was {ran.status}{f': {ran.detail}' if ran.detail else ''}"


def output_names(planned: Sequence[Planned]) -> list[str]:
    """File names of the executed notebooks: the notebook's own, with a number if the name is taken.

    The run with stable has ``.stable`` in its name, so that name is reserved too.
    """
    stems = [one.notebook.path.stem for one in planned]
    several, taken, names = Counter(stems), set[str](), dict[int, str]()

    def take(name: str) -> bool:
        both = {name.casefold(), f"{name}.stable".casefold()}  # a file system may take upper and lower case for one
        free = both.isdisjoint(taken)
        taken.update(both if free else ())
        return free

    own = [number for number, stem in enumerate(stems) if several[stem] == 1 and take(stem)]
    for number, stem in enumerate(stems):
        names[number] = stem if number in own else next(n for i in count(1) if take(n := f"{stem}-{i}"))
    return [f"{names[number]}.ipynb" for number in range(len(stems))]


def output_of(output: Path, side: Side) -> Path:
    """The path of the executed notebook of a side, by the path of the candidate's."""
    return output.with_suffix(".stable.ipynb") if side == "stable" else output
