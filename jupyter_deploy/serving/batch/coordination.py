"""The coordination of a batch: workers take partitions from one queue, and what they finish is committed together.

Several pods of one run have a share each (``sharing``). A pod that has ended its share notes that in the sink; one that
finds the notes of all pods commits. Standard library only: it coordinates on the machine of a person, and in the image
of a release.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, Self

from .sharing import Share, progress_in_words

_REPORT_SECONDS = 1.0
_MOST_REASONS = 5

Answer = Mapping[str, Any]
"""A line of a worker's program (``worker``)."""


class WorkerFailed(Exception):
    """A worker answered with an error: its words and the name of its type."""

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(words)
        self.kind = kind


class WorkerEnded(Exception):
    """A worker's process ended before its answer."""


class Worker(Protocol):
    """One process with the model; it runs within its context."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> None:
        """Start the process again after ``end``."""

    def ask(self, operation: str, count: Callable[[int], None] = ..., **arguments: Any) -> Answer:
        """Return the result of an operation; ``count`` is called with rows as they are answered."""

    def end(self) -> None:
        """End the process."""


def result_of(receive: Callable[[], Answer | None], count: Callable[[int], None]) -> Answer:
    """Return the result of an operation from a worker's lines; ``receive`` returns the next one, None: it has ended.

    Raises
    ------
    WorkerFailed, WorkerEnded
    """
    while (answer := receive()) is not None:
        if "result" in answer:
            result: Answer = answer["result"]
            return result
        if "error" in answer:
            raise WorkerFailed(answer["error"], answer["kind"])
        count(answer["rows"])
    raise WorkerEnded("a worker of the batch ended before its answer")


def coordinate(
    worker: Callable[[int], Worker],
    most: int,
    report: Callable[[str], None],
    *,
    dry_run: bool = False,
    run: str = "",
    share: Share | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Score the partitions that are not scored yet, and commit them.

    A KeyboardInterrupt ends the workers; the finished partitions are committed, and the state is ``interrupted``.
    A process with a share commits nothing then: the other ones are at work, and the next one goes on.

    Parameters
    ----------
    worker
        Makes a worker by its number.
    most
        The most workers.
    report
        Called with progress in words, about once a second.
    run
        Names the run; see ``Progress``.
    share
        The part of this process in the run; None: all of it. A share needs ``run``.
    tell
        Called with progress in figures (``Progress.progress``), in place of ``report``.

    Returns
    -------
    dict
        ``state`` (``complete``, ``interrupted`` or ``planned``; ``scored``: the share is, and another process of the
        run commits), the numbers of ``partitions``, ``already`` and now
        ``scored`` ones, ``replaced`` ones, ``rows``, ``refused``, ``reasons`` and ``seconds``.

    Raises
    ------
    Exception
        A worker failed. Its partition has no files; those of finished ones are kept.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        report("loading the model")
        first = stack.enter_context(worker(0))
        plan = first.ask("plan", write=not dry_run)
        own = plan if share is None else {**plan, "partitions": share.of(plan, run)}
        progress = Progress(own, report, run, tell)
        complete = dry_run or _score(worker, most, stack, first, progress)
        last = share is None
        if share is not None and complete and not dry_run:
            ended = first.ask("mark", run=run, index=share.index)["ended"]
            if last := len(ended) == share.pods:
                # Pods may have listed the source at other moments: nothing of it is left out.
                progress = Progress({**plan, **first.ask("state")}, report, run, tell)
                complete = _score(worker, most, stack, first, progress)
        progress.finish(complete=complete)
        if last and not dry_run and (complete or share is None):
            if not complete:
                first.start()  # it commits
            if keys := progress.committable():
                report("committing")
                first.ask("commit", keys=keys, planned=progress.planned)
        figures = progress.figures(dry_run=dry_run)
        if complete and not last and not dry_run:
            figures["state"] = "scored"
        return figures | {"seconds": time.monotonic() - began}


def _score(
    worker: Callable[[int], Worker], most: int, stack: contextlib.ExitStack, first: Worker, progress: Progress
) -> bool:
    """Score all waiting partitions; return False after a KeyboardInterrupt, which ends the workers."""
    if not progress.waiting:
        return True
    partitions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for partition in progress.waiting:
        partitions.put(partition)
    count = min(most, len(progress.waiting))
    workers = [first, *(stack.enter_context(worker(number)) for number in range(1, count))]
    stop = threading.Event()
    with ThreadPoolExecutor(count, "nbdeploy-batch") as pool:
        work = [pool.submit(_work, each, partitions, progress, stop) for each in workers]
        try:
            while not all(one.done() for one in work):
                progress.show()
                if any(one.done() and one.exception() for one in work):
                    stop.set()
                time.sleep(0.1 if progress.quick else _REPORT_SECONDS)
        except KeyboardInterrupt:
            stop.set()
            for other in workers[1:]:
                other.end()
            first.end()
            return False
        for one in work:
            one.result()
    return True


def _work(
    worker: Worker, partitions: queue.SimpleQueue[dict[str, Any]], progress: Progress, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            partition = partitions.get_nowait()
        except queue.Empty:
            return
        if progress.run:
            partition = partition | {"run": progress.run}
        try:
            progress.add(worker.ask("score", progress.count, partition=partition))
        except Exception:
            if stop.is_set():
                return  # it was ended by the interrupt
            stop.set()
            raise


class Progress:
    """The partitions of a batch, and what is done.

    Parameters
    ----------
    plan
        The partitions of the source, and those of the sink: ``committed`` and ``staged`` ones by key.
    run
        Each partition that is scored now bears this name; those that bear it already, as when the process of a run was
        killed and another one goes on with the run, are figures of this run too. Empty: each process is a run.
    """

    def __init__(
        self,
        plan: Answer,
        report: Callable[[str], None],
        run: str = "",
        tell: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.run = run
        self._partitions: Sequence[dict[str, Any]] = plan["partitions"]
        self._committed: Mapping[str, Any] = plan["committed"]
        self._tell = tell or (lambda progress: report(progress_in_words([progress])))
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._shown = 0.0
        self._rows = 0
        self._complete = False
        staged: Mapping[str, Any] = plan["staged"]
        keys = [one["key"] for one in self._partitions]
        self.done: dict[str, Any] = {key: staged[key] for key in keys if key in staged and key not in self._committed}
        self._resumed = len(self.done)
        self.waiting = [one for one in self._partitions if one["key"] not in {**self._committed, **self.done}]
        self.planned = keys

    @property
    def quick(self) -> bool:
        """Whether the batch has just begun: it may end in a moment."""
        return time.monotonic() - self._began < 2 * _REPORT_SECONDS

    def count(self, rows: int) -> None:
        with self._lock:
            self._rows += rows

    def add(self, partition: Answer) -> None:
        with self._lock:
            self.done[partition["key"]] = partition

    def finish(self, *, complete: bool) -> None:
        self._complete = complete

    def committable(self) -> list[str]:
        """Return the finished partitions of files whose partitions are all finished."""
        present = {**self._committed, **self.done}
        unfinished = {one["source"] for one in self._partitions if one["key"] not in present}
        return sorted(key for key, one in self.done.items() if one["source"] not in unfinished)

    def show(self) -> None:
        """Tell the progress, about once a second."""
        seconds = time.monotonic() - self._began
        if seconds - self._shown >= _REPORT_SECONDS:
            self._shown = seconds
            self._tell(self.progress(seconds))

    def progress(self, seconds: float) -> dict[str, Any]:
        """Return what is done after so many seconds.

        Returns
        -------
        dict
            The numbers of ``finished`` and of all ``partitions``, of ``rows`` that this process has answered and of
            ``refused`` ones, the ``rate`` in rows a second, and the seconds that are ``left`` (None: not known yet).
        """
        with self._lock:
            rows, done = self._rows, list(self.done.values())
        new = len(done) - self._resumed
        return {
            "finished": new + len(self._partitions) - len(self.waiting),
            "partitions": len(self._partitions),
            "rows": rows,
            "rate": rows / seconds,
            "left": (len(self.waiting) - new) * seconds / new if new else None,
            "refused": sum(one["refused"] for one in done),
        }

    def figures(self, *, dry_run: bool) -> dict[str, Any]:
        """Return what ``coordinate`` returns, without the seconds."""
        files = {one["source"] for one in self._partitions}
        keys = set(self.planned)
        before = {key: one for key, one in self._committed.items() if key in keys}
        own = [one for one in before.values() if self.run and one.get("run") == self.run]
        done = [*own, *self.done.values()]
        reasons: dict[str, int] = {}
        for one in done:
            for reason, count in one["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        most = sorted(reasons.items(), key=lambda item: -item[1])[:_MOST_REASONS]
        return {
            "state": "planned" if dry_run else "complete" if self._complete else "interrupted",
            "partitions": len(self._partitions),
            "already": len(before) - len(own),
            "scored": len(done),
            "replaced": sum(key not in keys and one["source"] in files for key, one in self._committed.items()),
            "rows": sum(one["rows"] for one in done),
            "refused": sum(one["refused"] for one in done),
            "reasons": dict(most),
        }
