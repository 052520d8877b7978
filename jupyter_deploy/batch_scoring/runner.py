"""Batches by worker processes: each has the model and answers one partition after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from jupyter_deploy.domain.batch.ports import BatchJob
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, InvalidInput, TargetError
from jupyter_deploy.domain.release.processes import environment_changed, for_buckets
from jupyter_deploy.serving.batch.coordination import Answer, WorkerEnded, WorkerFailed, coordinate, result_of
from jupyter_deploy.system.clean_process import CleanProcess, clean_process
from jupyter_deploy.system.model_process import ModelProcess
from jupyter_deploy.system.secret_store import SecretStore

_RESUMED = "finished partitions are kept, and the same command goes on"
_LOOKUP_REMEDY = "correct the lookup's query and deploy again, or the table that it reads"


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
        with clean_process("batch") as place:
            secrets = self._secrets.values_of(snapshot.manifest)

            def worker(number: int) -> _Worker:
                return _Worker(snapshot, job, place, number, secrets)

            return coordinate(worker, job.workers, report, dry_run=dry_run)


class _Worker:
    """One process with the model."""

    def __init__(
        self, snapshot: Snapshot, job: BatchJob, place: CleanProcess, number: int, secrets: Mapping[str, str]
    ) -> None:
        self._snapshot, self._job, self._place = snapshot, job, place
        self._secrets = secrets
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
            secrets=self._secrets,
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
                "shadow": job.shadow,
                "records": job.records and job.records.model_dump(),
            }
        )
        self._receive(self._process, lambda _: None)

    def ask(self, operation: str, count: Callable[[int], None] = lambda _: None, **arguments: Any) -> Answer:
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

    def _receive(self, process: ModelProcess, count: Callable[[int], None]) -> Answer:
        try:
            return result_of(process.receive, count)
        except WorkerFailed as failed:
            raise self._error(str(failed), failed.kind) from failed
        except WorkerEnded as ended:
            if self._ended:
                raise TargetError("the worker was ended") from ended
            raise TargetError(
                str(ended),
                "finished partitions are kept: the same command goes on; with fewer --workers it needs less memory",
                process.last_log(),
            ) from ended

    def _error(self, message: str, kind: str) -> DeployError:
        if kind == "EnvironmentChanged":
            return environment_changed(self._snapshot.tag, message.splitlines()[1:])
        if kind == "ModuleNotFoundError" and "pyarrow" in message:
            return InvalidInput(
                f"batches need pyarrow in the environment of {self._snapshot.tag}",
                f"{self._snapshot.manifest.environment.interpreter} -m pip install pyarrow",
            )
        if kind in ("ResourceUnavailable", "LookupFailed"):
            remedy = "start the database, or see to its connection" if kind == "ResourceUnavailable" else _LOOKUP_REMEDY
            return TargetError(f"{self._snapshot.tag}: {message}", f"{remedy}; {_RESUMED}")
        if kind in ("PlaceError", "Problem", "FileNotFoundError", "PermissionError", "ArrowInvalid", "KeyError"):
            return InvalidInput(message, "see 'nbdeploy batch --help' for sources")
        return TargetError(f"{self._snapshot.tag}: {kind}: {message}", "finished partitions are kept")
