"""The answers of a model in a clean process of its interpreter, to instances that are chosen one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.explanation import Ask
from jupyter_deploy.system.clean_process import clean_process
from jupyter_deploy.system.model_process import ModelProcess
from jupyter_deploy.system.secret_store import SecretStore

_REMEDY = "see the last lines that it printed"
_LOAD_SECONDS, _CALL_SECONDS = 300.0, 60.0


class ProcessAnswers:
    """``domain.explanation.ModelAnswers``; the store has the models' secrets."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    @contextmanager
    def opened(self, snapshot: Snapshot) -> Iterator[Ask]:
        """See ``ModelAnswers.opened``."""
        with clean_process("explanation") as place:
            process = ModelProcess(
                place,
                snapshot,
                "serving.measurement",
                log=place.root / "model.log",
                variables={"NBDEPLOY_THREADS": "1"},
                secrets=self._secrets.values_of(snapshot.manifest),
            )

            def ask(instances: Sequence[Any]) -> Sequence[Any]:
                request = {"op": "answer", "instances": list(instances)}
                answers: list[Any] = process.exchange(
                    request, failed="did not answer", remedy=_REMEDY, seconds=_CALL_SECONDS
                )["answers"]
                return answers

            try:
                settings = {"snapshot": snapshot.path, "digest": snapshot.digest, "instances": None, "processor": None}
                process.exchange(settings, failed="cannot be loaded", remedy=_REMEDY, seconds=_LOAD_SECONDS)
                yield ask
            finally:
                process.end()
