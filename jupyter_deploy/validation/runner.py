"""Runs of validation notebooks by Papermill, each in its own kernel; failures are values."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import Conflict, InvalidInput
from jupyter_deploy.domain.evidence.statistic import RECORDED
from jupyter_deploy.domain.parsing import parse_duration
from jupyter_deploy.domain.validation.ports import Job, Notebook, Ran
from jupyter_deploy.domain.validation.validation import CellError, Check, Metric
from jupyter_deploy.notebooks.kernels.launch import Launch
from jupyter_deploy.notebooks.kernels.provisioner import Fork, Forks
from jupyter_deploy.notebooks.reader import (
    code_cells,
    did_you_mean,
    is_remote,
    kernel_of,
    read_notebook,
    shown,
    tags_of,
)
from jupyter_deploy.notebooks.rerun import VALIDATION, VARIABLE
from jupyter_deploy.system.temp import scratch_folder

from .metric_messages import MetricCollector
from .notebook_writer import Secrets, exclusive_writer, write
from .parameters import parameters_of, plain_values, require

if TYPE_CHECKING:
    from jupyter_deploy.notebooks.execution import Cancelled, Executed, Failure
    from jupyter_deploy.notebooks.skipped_deploys import ErrorsOfSkippedDeploys

_MESSAGE = 500  # characters of an exception's message
_TRACEBACK = 8000
_DETAIL = 2000
_SEARCHED = 200_000  # characters that are searched for secrets before truncation, so that no part of one remains

R_HELPER = Path(__file__).with_name("nbdeploy.R")
"""The file that notebooks in R source, by the variable ``NBDEPLOY_R``."""

_METADATA_KEYS = ("gates", "traffic")

# Variables of the notebook in whose kernel this code may run, not of the notebook that is run.
_NOT_PASSED_ON = ("JPY_SESSION_NAME", "NBDEPLOY_NOTEBOOK")

_NO_INPUT = "input() needs a user, and a validation has none: make the value a parameter"


class PapermillValidationRunner:
    """The ValidationRunner port."""

    def __init__(self) -> None:
        self._running: set[Cancelled] = set()
        self._forks = Forks()
        self._cancelled = False
        self._lock = threading.Lock()

    def read(self, path: str, kernel: str | None = None) -> Notebook:
        document = read_notebook(path)
        name = shown(path)
        kernel, language = kernel_of(document, name, kernel)
        code = [cell.source for cell in code_cells(document)]
        gates, traffic = _gates_and_traffic(document.metadata.get("nbdeploy", {}), name)
        known = parameters_of(document, kernel, language)
        remote = is_remote(path)
        return Notebook(
            # A remote notebook runs in this folder.
            path=Path.cwd() / (PurePosixPath(urlsplit(path).path).name or "notebook.ipynb")
            if remote
            else Path(path).resolve(),
            origin=name if remote else str(Path(path).resolve()),
            kernel=kernel,
            language=language,
            cells=len(code),
            source="\n".join(code),
            defaults=None if known is None else {one.name: one.default for one in known.values()},
            gates=gates,
            traffic=traffic,
            tags=_tags(document),
            digest=_digest(document),
            lines=tuple((cell.strip().splitlines() or [""])[0] for cell in code),
            document=document,
        )

    def require_parameters(self, notebook: Notebook, parameters: Mapping[str, Any]) -> None:
        require(notebook.path.name, notebook.document, notebook.kernel, notebook.language, parameters)

    def expect(self, notebooks: Iterable[tuple[Notebook, Path | None]]) -> None:
        self._forks.expect(((one, cwd or one.path.parent) for one, cwd in notebooks), _environment())

    def run(self, job: Job, on_cell: Callable[[int], None]) -> Ran:
        from jupyter_deploy.notebooks.execution import Cancelled

        began, cancelled = time.monotonic(), Cancelled()
        with self._lock:
            if self._cancelled:
                return Ran("not run", 0.0, detail="interrupted before it began")
            self._running.add(cancelled)
        try:
            with exclusive_writer(job.output), scratch_folder("run") as scratch:
                fork = self._forks.fork(job.notebook)
                return _Run(job, on_cell, cancelled, scratch, began).run(fork)
        except Conflict as busy:
            return Ran("raised", time.monotonic() - began, detail=str(busy))
        except OSError as error:
            where = error.filename or job.output
            return Ran("raised", time.monotonic() - began, detail=f"cannot write {where}: {error.strerror}")
        finally:
            with self._lock:
                self._running.discard(cancelled)

    def cancel(self) -> None:
        self._end()
        self._forks.cancel()

    def _end(self) -> None:
        with self._lock:
            self._cancelled = True
            for one in self._running:
                one.set()

    def close(self) -> None:
        self._end()
        with self._lock:
            self._cancelled = False  # for the next validation
        self._forks.close()


def _environment() -> dict[str, str]:
    """Return the environment of all kernels."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    return {**kept, "NBDEPLOY_R": str(R_HELPER), VARIABLE: VALIDATION}


def _tags(document: Any) -> tuple[str, ...]:
    """Return the notebook's own tags."""
    tags = document.metadata.get("tags", ())
    return tuple(map(str, tags)) if isinstance(tags, list) else ()


def _digest(document: Any) -> str:
    """Hash all code cells, including those that Papermill injected earlier."""
    cells = [cell for cell in document.cells if cell.cell_type == "code"]
    content = json.dumps([[cell.source, sorted(tags_of(cell))] for cell in cells])
    return hashlib.sha256(content.encode()).hexdigest()


def _gates_and_traffic(metadata: Any, name: str) -> tuple[tuple[str, ...], str | None]:
    """Read gates and traffic from a notebook's metadata."""
    how = 'write {"nbdeploy": {"gates": ["accuracy >= 0.9"], "traffic": "1h"}} in the notebook\'s metadata'
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f"{name}: metadata 'nbdeploy' is no object", how)
    for unknown in sorted(set(metadata) - set(_METADATA_KEYS)):
        raise InvalidInput(
            f"{name}: unknown metadata 'nbdeploy.{unknown}'", did_you_mean(unknown, _METADATA_KEYS) + how
        )
    gates, traffic = metadata.get("gates", []), metadata.get("traffic")
    if not isinstance(gates, list) or not all(isinstance(gate, str) for gate in gates):
        raise InvalidInput(f"{name}: metadata 'nbdeploy.gates' is no list of texts", how)
    if traffic is not None:
        if not isinstance(traffic, str):
            raise InvalidInput(f"{name}: metadata 'nbdeploy.traffic' is no text", how)
        try:
            parse_duration(traffic)
        except InvalidInput as error:
            raise InvalidInput(f"{name}: metadata 'nbdeploy.traffic': {error.message}", error.remedy) from None
    return tuple(gates), traffic


class _Run:
    """One job while it runs."""

    def __init__(
        self, job: Job, on_cell: Callable[[int], None], cancelled: Cancelled, scratch: Path, began: float
    ) -> None:
        self._job, self._on_cell, self._cancelled = job, on_cell, cancelled
        self._scratch, self._began = scratch, began
        own = {"NBDEPLOY_NOTEBOOK": str(job.notebook.path), RECORDED: "1"}
        self._environment = {**_environment(), **own, **job.variables}
        self._secrets = Secrets(self._environment, addresses=job.variables, parameters=job.parameters)
        self._collector = MetricCollector()
        self._write_error: OSError | None = None
        self._excuses: ErrorsOfSkippedDeploys | None = None

    def run(self, fork: Fork | None) -> Ran:
        from jupyter_deploy.notebooks.execution import Execution, execute

        job, notebook = self._job, self._job.notebook
        document = copy.deepcopy(notebook.document)
        write(document, job.output)  # fails before the run if the file is not writable
        self._secrets.prepare()
        executed = execute(
            Execution(
                document,
                Launch(notebook.kernel, self._environment, job.cwd or notebook.path.parent, self._scratch, fork=fork),
                parameters={name: plain_values(value) for name, value in job.parameters.items()},
                language=notebook.language,
                origin=notebook.origin or str(notebook.path),
                output=str(job.output),
                save=self._save,
                on_cell=lambda number, _: self._on_cell(number),
                on_measured=self._take,
                on_recorded=self._collector.expect,
                timeout=job.timeout,
                is_excused=self._is_excused,
                cancelled=self._cancelled,
            )
        )
        return self._result(executed)

    def _take(self, cell: int, display_id: str | None, document: Any) -> Any:
        document = self._secrets.within(document, ("rows", "replicates"))
        if isinstance(document, dict) and isinstance(group := document.get("group"), dict):
            document["group"] = {self._secrets.without(name): value for name, value in group.items()}
        return self._collector.take(cell, display_id, document)

    def _is_excused(self, number: int, index: int, *raised: str) -> bool:
        del number, index
        if self._excuses is None:
            from jupyter_deploy.notebooks.skipped_deploys import ErrorsOfSkippedDeploys

            self._excuses = ErrorsOfSkippedDeploys(
                [cell.source for cell in code_cells(self._job.notebook.document)], ()
            )
        return self._excuses.may_raise(*raised)

    def _save(self, document: Any) -> None:
        # A full disk does not end the run: there may be free space at its end.
        try:
            write(document, self._job.output, self._secrets)
        except OSError as error:
            self._write_error = error
        else:
            self._write_error = None

    def _result(self, executed: Executed) -> Ran:
        status, error, detail = executed.status, None, self._secrets.masked(executed.detail)
        if executed.failure is not None:
            error = self._error(executed.failure)
            if status == "timeout":
                detail = f"cell {error.cell} ran longer than {self._job.timeout:g} s"
        problem = self._collector.problem or self._collector.lost
        if problem is not None and status == "done":
            cell, words = problem
            status, detail = "raised", f"cell {cell}: {self._secrets.masked(words)}"
        if self._write_error is not None and status == "done":
            status = "raised"
        if self._write_error is not None:
            lost = f"the executed notebook could not be written to {self._job.output}: {self._write_error.strerror}"
            detail = f"{detail}\n{lost}" if detail else lost
        return Ran(
            status=status,
            seconds=time.monotonic() - self._began,
            metrics=self._masked_metrics(),
            checks=self._masked_checks(),
            error=error,
            detail=detail,
            executed=None if self._write_error else self._job.output,
        )

    def _masked_metrics(self) -> tuple[Metric, ...]:
        """Mask secrets in names and groups of metrics, which are stored for good."""
        metrics = self._collector.metrics
        names = self._secrets.all_masked([one.name for one in metrics])
        groups = self._secrets.all_masked([text for one in metrics for pair in one.group.items() for text in pair])
        rest = iter(groups)
        return tuple(
            one.model_copy(update={"name": name, "group": {next(rest): next(rest) for _ in one.group}})
            for one, name in zip(metrics, names, strict=True)
        )

    def _masked_checks(self) -> tuple[Check, ...]:
        checks = self._collector.checks
        names = self._secrets.all_masked([one.name for one in checks])
        details = self._secrets.all_masked([one.detail for one in checks])
        return tuple(
            one.model_copy(update={"name": name, "detail": detail[:_DETAIL]})
            for one, name, detail in zip(checks, names, details, strict=True)
        )

    def _error(self, failure: Failure) -> CellError:
        evalue, traceback = failure.evalue, failure.traceback
        if failure.ename == "StdinNotImplementedError":
            evalue, traceback = _NO_INPUT, traceback.partition("\n\nFile ")[0]  # without the kernel's frames
        return CellError(
            cell=failure.cell,
            ename=failure.ename,
            evalue=self._secrets.masked(evalue[:_SEARCHED])[:_MESSAGE],
            traceback=self._secrets.masked(traceback[-_SEARCHED:])[-_TRACEBACK:],
        )
