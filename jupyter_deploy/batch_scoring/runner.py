"""Batches by worker processes: each has the model and answers one partition after another."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from jupyter_deploy.domain.batch.ports import BatchJob
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, InvalidInput, TargetError
from jupyter_deploy.domain.release.processes import environment_changed, for_buckets
from jupyter_deploy.system.clean_process import CleanProcess, clean_process
from jupyter_deploy.system.model_process import ModelProcess
from jupyter_deploy.system.secret_store import SecretStore

_REPORT_SECONDS = 1.0
_END_SECONDS = 5.0
_MOST_REASONS = 5

Answer = Mapping[str, Any]


class WorkerBatches:
    """``domain.batch.ports.BatchRunner`` by processes of the model's interpreter.

    ``secrets`` has the models' secrets.
    """

    def __init__(self, secrets: SecretStore | None = None) -> None:
        self._secrets = secrets or SecretStore()

    def run(
        self, snapshot: Snapshot, job: BatchJob, report: Callable[[str], None], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """See ``BatchRunner.run``."""
        began = time.monotonic()
        with clean_process("batch") as place, contextlib.ExitStack() as workers:
            report("loading the model")
            secrets = self._secrets.values_of(snapshot.manifest)
            first = workers.enter_context(_Worker(snapshot, job, place, 0, secrets))
            plan = first.ask("plan", write=not dry_run)
            progress = _Progress(plan, report)
            if not dry_run and progress.waiting:
                progress.finish(_Scoring(snapshot, job, place, workers, first).run(progress))
            elif not dry_run:
                progress.finish(complete=True)
            if not dry_run and (keys := progress.committable()):
                report("committing")
                first.ask("commit", keys=keys, planned=progress.planned)
            return progress.figures(dry_run=dry_run) | {"seconds": time.monotonic() - began}


class _Scoring:
    """Workers that take partitions from one queue."""

    def __init__(
        self,
        snapshot: Snapshot,
        job: BatchJob,
        place: CleanProcess,
        workers: contextlib.ExitStack,
        first: _Worker,
    ) -> None:
        self._snapshot, self._job, self._place, self._stack = snapshot, job, place, workers
        self._workers = [first]

    def run(self, progress: _Progress) -> bool:
        """Score all waiting partitions; return False after a Ctrl-C.

        Raises
        ------
        DeployError
            A worker failed. Its partition has no files; those of finished ones are kept.
        """
        partitions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for partition in progress.waiting:
            partitions.put(partition)
        count = min(self._job.workers, len(progress.waiting))
        self._workers += [
            self._stack.enter_context(_Worker(self._snapshot, self._job, self._place, number, self._workers[0].secrets))
            for number in range(1, count)
        ]
        stop = threading.Event()
        with ThreadPoolExecutor(count, "nbdeploy-batch") as pool:
            work = [pool.submit(_work, worker, partitions, progress, stop) for worker in self._workers]
            try:
                while not all(one.done() for one in work):
                    progress.show()
                    if any(one.done() and one.exception() for one in work):
                        stop.set()
                    time.sleep(0.1 if progress.quick else _REPORT_SECONDS)
            except KeyboardInterrupt:
                stop.set()
                for worker in self._workers[1:]:
                    worker.end()
                self._workers[0].end()
                self._workers[0].start()  # it commits
                return False
            for one in work:
                one.result()
        return True


def _work(
    worker: _Worker, partitions: queue.SimpleQueue[dict[str, Any]], progress: _Progress, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            partition = partitions.get_nowait()
        except queue.Empty:
            return
        try:
            progress.add(worker.ask("score", progress.count, partition=partition))
        except DeployError:
            if stop.is_set():
                return  # it was ended by the Ctrl-C
            stop.set()
            raise


class _Worker:
    """One process with the model."""

    def __init__(
        self, snapshot: Snapshot, job: BatchJob, place: CleanProcess, number: int, secrets: Mapping[str, str]
    ) -> None:
        self._snapshot, self._job, self._place = snapshot, job, place
        self.secrets = secrets
        self._log = place.root / f"worker-{number}.log"
        self._process: ModelProcess | None = None
        self._ended = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start the process, which loads the model."""
        threads = str(max(1, (os.cpu_count() or 1) // self._job.workers))
        self._ended = False
        self._process = ModelProcess(
            self._place,
            self._snapshot,
            "serving.batch.worker",
            log=self._log,
            variables={"OMP_NUM_THREADS": threads, **for_buckets(os.environ)},
            secrets=self.secrets,
        )
        job = self._job
        self._process.send(
            {
                "snapshot": self._snapshot.path,
                "digest": self._snapshot.digest,
                "tag": self._snapshot.tag,
                "source": job.source,
                "sink": job.sink,
                "keep": job.keep,
                "suffix": f".{job.format}",
                "rows": job.rows,
                "records": job.records and job.records.model_dump(),
            }
        )
        self._receive(self._process, lambda _: None)

    def ask(self, operation: str, count: Callable[[int], None] = lambda _: None, **arguments: Any) -> dict[str, Any]:
        """Return the result of an operation; ``count`` is called with rows as they are answered.

        Raises
        ------
        InvalidInput, EnvironmentChanged, TargetError
            As ``BatchRunner.run``.
        """
        process = self._process  # a restart after a Ctrl-C has another one
        if process is None:
            raise TargetError("the worker was ended")
        process.send({"op": operation, **arguments})
        return self._receive(process, count)

    def end(self) -> None:
        """End the process."""
        self._ended = True
        if self._process is not None:
            self._process.end()

    def _receive(self, process: ModelProcess, count: Callable[[int], None]) -> dict[str, Any]:
        while (answer := process.receive()) is not None:
            if "result" in answer:
                result: dict[str, Any] = answer["result"]
                return result
            if "error" in answer:
                raise self._error(answer)
            count(answer["rows"])
        if self._ended:
            raise TargetError("the worker was ended")
        raise TargetError(
            "a worker of the batch ended before its answer",
            "finished partitions are kept: the same command goes on; with fewer --workers it needs less memory",
            process.last_log(),
        )

    def _error(self, answer: Answer) -> DeployError:
        message, kind = answer["error"], answer["kind"]
        if kind == "EnvironmentChanged":
            return environment_changed(self._snapshot.tag, message.splitlines()[1:])
        if kind == "ModuleNotFoundError" and "pyarrow" in message:
            return InvalidInput(
                f"batches need pyarrow in the environment of {self._snapshot.tag}",
                f"{self._snapshot.manifest.environment.interpreter} -m pip install pyarrow",
            )
        if kind in ("PlaceError", "Problem", "FileNotFoundError", "PermissionError", "ArrowInvalid", "KeyError"):
            return InvalidInput(message, "see 'nbdeploy batch --help' for sources")
        return TargetError(f"{self._snapshot.tag}: {kind}: {message}", "finished partitions are kept")


class _Progress:
    """The partitions of a batch, and what is done."""

    def __init__(self, plan: Answer, report: Callable[[str], None]) -> None:
        self._partitions: Sequence[dict[str, Any]] = plan["partitions"]
        self._committed: Mapping[str, Any] = plan["committed"]
        self._report = report
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._shown = 0.0
        self._rows = 0
        self._complete = False
        staged: Mapping[str, Any] = plan["staged"]
        self.done: dict[str, Any] = {one["key"]: staged[one["key"]] for one in self._partitions if one["key"] in staged}
        self._resumed = len(self.done)
        self.waiting = [one for one in self._partitions if one["key"] not in {**self._committed, **self.done}]
        self.planned = [one["key"] for one in self._partitions]

    @property
    def quick(self) -> bool:
        """Whether the batch has just begun: it may end in a moment."""
        return time.monotonic() - self._began < 2 * _REPORT_SECONDS

    def count(self, rows: int) -> None:
        with self._lock:
            self._rows += rows

    def add(self, partition: dict[str, Any]) -> None:
        with self._lock:
            self.done[partition["key"]] = partition

    def finish(self, complete: bool) -> None:
        self._complete = complete

    def committable(self) -> list[str]:
        """Return the finished partitions of files whose partitions are all finished."""
        present = {**self._committed, **self.done}
        unfinished = {one["source"] for one in self._partitions if one["key"] not in present}
        return sorted(key for key, one in self.done.items() if one["source"] not in unfinished)

    def show(self) -> None:
        """Report the rate and the remaining time, about once a second."""
        seconds = time.monotonic() - self._began
        if seconds - self._shown < _REPORT_SECONDS:
            return
        self._shown = seconds
        with self._lock:
            rows, done = self._rows, list(self.done.values())
        total, finished = len(self._partitions), len(done) + len(self._partitions) - len(self.waiting) - self._resumed
        refused = sum(one["refused"] for one in done)
        words = f"{finished} of {total} partitions, {rows:,} rows, {rows / seconds:,.0f} a second"
        new = len(done) - self._resumed
        if new:
            words += f", {_duration((len(self.waiting) - new) * seconds / new)} left"
        self._report(words + (f", {refused:,} refused" if refused else ""))

    def figures(self, *, dry_run: bool) -> dict[str, Any]:
        """Return the fields of ``domain.batch.results.Batch``."""
        files = {one["source"] for one in self._partitions}
        keys = set(self.planned)
        done = list(self.done.values())
        reasons: dict[str, int] = {}
        for one in done:
            for reason, count in one["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        most = sorted(reasons.items(), key=lambda item: -item[1])[:_MOST_REASONS]
        return {
            "state": "planned" if dry_run else "complete" if self._complete else "interrupted",
            "partitions": len(self._partitions),
            "already": sum(key in self._committed for key in keys),
            "scored": len(done),
            "replaced": sum(key not in keys and one["source"] in files for key, one in self._committed.items()),
            "rows": sum(one["rows"] for one in done),
            "refused": sum(one["refused"] for one in done),
            "reasons": dict(most),
        }


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
