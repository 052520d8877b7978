"""The measurement of models: one clean process each, timed in interleaved rounds on one processor."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.model_selection.ports import Measured
from jupyter_deploy.domain.model_selection.selection import Performance, Spread
from jupyter_deploy.system.clean_process import CleanProcess, clean_process
from jupyter_deploy.system.filesystem import size_of
from jupyter_deploy.system.model_process import ModelProcess
from jupyter_deploy.system.secret_store import SecretStore

from .libraries import library_bytes

BATCH_ROWS = 100
ROUNDS = 7
_CALLS, _BATCH_CALLS = 200, 20
_SECONDS = 1.0
"""The longest that one model is timed in a round with one kind of call."""


class ProcessMeasurer:
    """``domain.model_selection.ports.Measurer``; ``secrets`` has the models' secrets."""

    def __init__(self, secrets: SecretStore | None = None) -> None:
        self._secrets = secrets or SecretStore()

    @property
    def processor(self) -> str:
        """The name of the processor."""
        with contextlib.suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        return platform.processor()

    def measure(
        self, snapshots: Sequence[Snapshot], instances: Sequence[Sequence[Any]], report: Callable[[str], None]
    ) -> list[Measured]:
        """See ``Measurer.measure``."""
        with clean_process("measurement") as place, contextlib.ExitStack() as opened:
            models = []
            for number, (snapshot, rows) in enumerate(zip(snapshots, instances, strict=True)):
                report(f"loading {snapshot.tag}, {number + 1} of {len(snapshots)}")
                models.append(opened.enter_context(_Model(snapshot, rows, place, number, self._secrets)))
            answers = []
            for model in models:
                report(f"calling {model.snapshot.tag} with {len(instances[0]):,} rows")
                answers.append(model.ask("answers", rows=BATCH_ROWS)["answers"])
            for turn in range(-1, ROUNDS):
                report("warming up" if turn < 0 else f"timing, round {turn + 1} of {ROUNDS}")
                # Each round begins with another model, so that a slow phase of the machine meets all alike.
                for place_ in range(len(models)):
                    models[(place_ + turn) % len(models)].time(keep=turn >= 0)
            return [
                Measured(
                    answer,
                    model.performance(),
                    size_of(Path(model.snapshot.path)),
                    library_bytes(model.snapshot.manifest.environment.distributions),
                    model.classes(),
                )
                for model, answer in zip(models, answers, strict=True)
            ]


class _Model:
    """The process of one model, with the durations of its calls by round."""

    def __init__(
        self, snapshot: Snapshot, instances: Sequence[Any], place: CleanProcess, number: int, secrets: SecretStore
    ) -> None:
        self._secrets = secrets
        self.snapshot = snapshot
        self._place = place
        self._log = place.root / f"model-{number}.log"
        self._instances = place.root / f"instances-{number}.json"
        self._instances.write_text(json.dumps(list(instances)), "utf-8")
        self._process: ModelProcess
        self._load_s = 0.0
        self._one: list[list[float]] = []
        self._batch: list[list[float]] = []

    def __enter__(self) -> Self:
        began = time.perf_counter()
        self._process = ModelProcess(
            self._place,
            self.snapshot,
            "serving.measurement",
            log=self._log,
            variables={"OMP_NUM_THREADS": "1", "NBDEPLOY_THREADS": "1"},
            secrets=self._secrets.values_of(self.snapshot.manifest),
        )
        try:
            settings = {"snapshot": self.snapshot.path, "digest": self.snapshot.digest}
            self._exchange(settings | {"instances": str(self._instances), "processor": _last_processor()})
        except BaseException:
            self._process.end()
            raise
        self._load_s = time.perf_counter() - began
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of an operation of ``serving.measurement``."""
        return self._exchange({"op": operation, **arguments})

    def time(self, *, keep: bool) -> None:
        """Time one round of calls with one row and with ``BATCH_ROWS`` rows."""
        one = self.ask("time", rows=1, calls=_CALLS, seconds=_SECONDS)["seconds"]
        batch = self.ask("time", rows=BATCH_ROWS, calls=_BATCH_CALLS, seconds=_SECONDS)["seconds"]
        if keep:
            self._one.append(one)
            self._batch.append(batch)

    def classes(self) -> tuple[str, ...] | None:
        """Return the classes that the object names; None: it names none."""
        found = self.ask("classes")["classes"]
        return None if found is None else tuple(found)

    def performance(self) -> Performance:
        """Summarise the rounds."""
        peak = self.ask("memory")["bytes"]
        return Performance(
            batch_rows=BATCH_ROWS,
            rounds=len(self._one),
            latency_p50_ms=_quantiles(self._one, 0.5),
            latency_p99_ms=_quantiles(self._one, 0.99),
            batch_p50_ms=_quantiles(self._batch, 0.5),
            batch_p99_ms=_quantiles(self._batch, 0.99),
            rows_per_second=Spread.of([BATCH_ROWS * len(calls) / sum(calls) for calls in self._batch]),
            predictions_per_second=Spread.of([len(calls) / sum(calls) for calls in self._one]),
            memory_mb=None if peak is None else peak / 1e6,
            load_s=self._load_s,
        )

    def _exchange(self, document: dict[str, Any]) -> dict[str, Any]:
        return self._process.exchange(
            document, failed="cannot be measured", remedy="leave this model out, or correct the rows that it raises on"
        )


def _last_processor() -> int | None:
    """Return the processor on which all are timed, one at a time; None: processes cannot be pinned here."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _quantiles(rounds: Sequence[Sequence[float]], share: float) -> Spread:
    """Summarise a quantile of each round, in milliseconds: the smallest value that ``share`` of the calls reach."""
    return Spread.of([1000 * sorted(calls)[max(math.ceil(len(calls) * share) - 1, 0)] for calls in rounds])
