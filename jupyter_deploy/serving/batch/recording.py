"""Records of a batch: of each batch of rows a sample, written as the record of a request is.

A whole batch in the records would push those of requests out of them, and a sample is enough for drift and comparisons.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..table_predictor import TablePredictor
from ..telemetry.recording import OK, Recording
from ..telemetry.records import Entry, Recorder
from ..values.json_values import to_json
from .scoring import Scored

ROWS = 1000
"""The most rows of one record; a batch of rows, 65,536 of Parquet, has one."""

_ALONE = ["prediction"]


class BatchRecords:
    """Writes the records of one worker.

    Parameters
    ----------
    settings
        ``folder`` of the release's records, ``endpoint``, ``release``, ``role``, and the recording mode of the
        endpoint: ``kept``, ``sample``, ``redact``.
    """

    def __init__(self, predictor: TablePredictor, settings: Mapping[str, Any]) -> None:
        self._predictor = predictor
        self._role = str(settings["role"])
        self._mode = Recording(settings["kept"], settings["sample"], tuple(settings["redact"]))
        folder = Path(settings["folder"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        columns = tuple(predictor.features)
        self._recorder = Recorder(folder, settings["endpoint"], settings["release"], columns=columns)

    def write(self, place: str, result: Scored, seconds: float) -> None:
        """Record a sample of the answered rows.

        Parameters
        ----------
        place
            Names the batch of rows, whichever release answers it: the same rows of stable and of a shadow are a pair.
        seconds
            The time of the answer to all of them; a record has the share of its rows.
        """
        request = f"batch-{hashlib.sha256(place.encode()).hexdigest()[:24]}"
        inputs = result.inputs
        if inputs is None or result.answers is None or not self._mode.keeps(request, request):
            return
        count = min(ROWS, inputs.num_rows)
        # By the place, so that a shadow, and a repetition, record the same rows.
        wanted = set(random.Random(request).sample(range(inputs.num_rows), count))  # noqa: S311 - no secret
        positions = [position for position, row in enumerate(result.rows) if row in wanted]
        if not positions:
            return
        rows = [result.rows[position] for position in positions]
        self._recorder.write_all(
            [
                Entry(
                    request_id=request,
                    pair_id=request,
                    ts_ns=time.time_ns(),
                    role=self._role,
                    status=OK,
                    latency_ms=1000 * seconds * len(rows) / max(1, inputs.num_rows),
                    rows=len(rows),
                    inputs=self._predictor.recorded(inputs.take(rows)),
                    outputs=_values(result.answers.take(positions)),
                    mode=self._mode,
                )
            ]
        )

    def close(self) -> None:
        """Write all to the disk."""
        self._recorder.close()


def place_of(partition: Mapping[str, Any], number: int) -> str:
    """Return the name of a batch of rows of a partition."""
    return json.dumps([partition["source"], partition.get("changed"), partition["row_groups"], number])


def _values(answers: pa.Table) -> list[Any]:
    rows = answers.to_pylist()
    return to_json([row[_ALONE[0]] for row in rows] if answers.column_names == _ALONE else rows)  # type: ignore[no-any-return]
