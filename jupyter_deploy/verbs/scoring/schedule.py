"""One look at the schedule of an endpoint's batches: the run that is due, and what became of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from jupyter_deploy.domain.batch.results import KEPT_RUNS, BatchLog, BatchRun, ShadowBatch
from jupyter_deploy.domain.batch.schedule import count_due, latest_due, next_due
from jupyter_deploy.domain.batch.spec import BatchSpec, allows
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.validation.validated import in_short
from jupyter_deploy.verbs.change import find

from .batch import request_of, score

MOST_SECONDS = 30.0
"""Between two looks: a changed schedule, or a changed clock, is noticed within them."""


class LogFile(Protocol):
    """Where the runs are noted (``system.batch_log``)."""

    def read(self) -> BatchLog | None: ...

    def write(self, log: BatchLog) -> None: ...


class Scheduler:
    """Begins the batches of an endpoint.

    Parameters
    ----------
    clock
        The time, in the zone of the schedule.
    say
        Takes lines for the program's log.
    """

    def __init__(
        self,
        name: str,
        ports: Ports,
        file: LogFile,
        clock: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        self._name, self._ports, self._file, self._clock, self._say = name, ports, file, clock, say

    def look(self) -> float | None:
        """Run what is due; return the seconds until the next look, None: a signal interrupted a run.

        A moment that came while nothing ran is made up for, together with all before it. A moment that comes during a
        run is left out.

        Raises
        ------
        DeployError
            The store cannot be read. Failures of a run are noted in the log.
        """
        spec = find(self._ports, self._name).batch
        if spec is None:
            return MOST_SECONDS
        log, time = self._file.read(), self._clock()
        if log is None or log.schedule != spec.schedule:
            log = BatchLog(schedule=spec.schedule, settled=time, runs=log.runs if log else ())
        latest = latest_due(spec.schedule, time)
        if latest > log.settled:
            after = self._run(spec, log, latest)
            if after is None:
                return None
            log = after
        time = self._clock()
        due = next_due(spec.schedule, max(time, log.settled))
        if log.due != due:
            self._file.write(log.model_copy(update={"due": due}))
        return min(MOST_SECONDS, (due - time).total_seconds())

    def _run(self, spec: BatchSpec, log: BatchLog, due: datetime) -> BatchLog | None:
        """Run the batch of a moment and return the log with its outcome; None: it was interrupted."""
        ended = tuple(run for run in log.runs if run.ended is not None)  # one without an end was killed: this goes on
        missed = max(0, count_due(spec.schedule, log.settled, due) - 1)
        run = BatchRun(due=due, began=self._clock(), missed=missed)
        shadows: Sequence[ShadowBatch] = ()
        self._file.write(log.model_copy(update={"due": due, "runs": (run, *ended)[:KEPT_RUNS]}))
        if missed:
            self._say(f"{missed} moments before {due} were missed: this run makes up for them")
        request = request_of(self._name, spec)
        try:
            result = score(request, spec.source, spec.sink, self._ports, lambda step: self._say(step.title))
        except DeployError as error:
            run = run.model_copy(update={"problem": error.message})
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - an unsettled run would begin again and again
            run = run.model_copy(update={"problem": f"{type(error).__name__}: {error}"})
            self._say(traceback.format_exc())
        else:
            if result.state == "interrupted":
                return None
            shadows = result.shadows
            too_many = not allows(spec.max_errors, result.refused, result.rows)
            figures = {"release": result.release, "rows": result.rows, "refused": result.refused}
            judged = {"validation": in_short(result.validation, ()) if result.validation else None}
            run = run.model_copy(update=figures | judged | {"too_many_refused": too_many})
        end = self._clock()
        overlapped = count_due(spec.schedule, due, end)
        run = run.model_copy(update={"ended": end, "overlapped": overlapped})
        runs = (run, *(_run_of_shadow(one, run) for one in shadows))
        for one in runs:
            self._say(f"the run for {due} has ended: {one.words}")
        after = BatchLog(schedule=spec.schedule, settled=max(due, end), runs=(*runs, *ended)[:KEPT_RUNS])
        self._file.write(after)
        return after


def _run_of_shadow(shadow: ShadowBatch, stable: BatchRun) -> BatchRun:
    """Return the run of a shadow at the moment of stable's."""
    done = shadow.model_dump(include={"release", "rows", "refused", "problem"})
    return BatchRun(due=stable.due, began=stable.began, ended=stable.ended, **done).of_shadow
