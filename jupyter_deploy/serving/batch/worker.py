"""The program of a batch's worker: it answers one line of JSON on standard output to each on standard input.

``{"op": "plan", …}`` lists the partitions; ``{"op": "score", "partition": …}`` answers one, with a line of progress
after each batch of rows; ``{"op": "commit", "keys": […]}`` commits. Of several pods, ``{"op": "mark", …}`` notes that
one has ended its share, and ``{"op": "state"}`` reads what all of them have answered. The first line has the settings.
What the model prints goes to standard error.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TextIO

MOST_REASONS = 5
_MOST_COUNTED = 10_000


class _Worker:
    def __init__(self, settings: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> None:
        from ..output_masking import mask_secrets
        from ..snapshot import load  # errors of imports are answers
        from ..table_predictor import TablePredictor
        from .sink import Sink

        mask_secrets(os.environ)
        self._settings = settings
        self._say = say
        self._predictor = TablePredictor(
            load(settings["snapshot"], settings["digest"]), "shadow" if settings.get("shadow") else "direct"
        )
        self._sink = Sink(settings["sink"], settings["suffix"])
        self._keep = tuple(settings["keep"])
        self._records = None
        if settings["records"]:
            from .recording import BatchRecords

            self._records = BatchRecords(self._predictor, settings["records"])

    def plan(self, *, write: bool) -> dict[str, Any]:
        """Return the partitions of the source, and those that are answered already; ``write``: prepare the sink."""
        from .formats import column_names, format_of, row_groups_of
        from .places import PlaceError, listed

        system, files = listed(self._settings["source"])
        files = [file for file in files if not file.path.startswith(f"{self._sink.path}/")]
        if not files:
            raise PlaceError(f"{self._settings['source']}: all files there are answers of {self._settings['sink']}")
        self._columns(column_names(system, files[0].path), files[0].path)
        twice = [name for name in self._keep if name in self._predictor.empty().column_names]
        if twice:
            raise PlaceError(f"the model answers a column '{twice[0]}' too: rename it in the source, or do not keep it")
        if write:
            self._sink.prepare()
        partitions = []
        for file in files:
            groups: list[list[int] | None] = [None]
            rows: list[int] = []
            if format_of(file.path) == "parquet":
                rows = row_groups_of(system, file.path)
                groups = list(_grouped(rows, self._settings["rows"]))
            for numbers in groups:
                identity = [file.path, file.size, file.mtime_ns, numbers, self._settings["digest"], self._keep]
                key = hashlib.sha256(json.dumps([*identity, self._settings["suffix"]]).encode()).hexdigest()[:16]
                part = {"key": key, "source": file.path, "row_groups": numbers, "suffix": self._settings["suffix"]}
                share = sum(rows[number] for number in numbers or ()) / sum(rows) if sum(rows) else 1
                part |= {"changed": [file.size, file.mtime_ns], "bytes": round(file.size * share)}
                partitions.append(part)
        return {"partitions": partitions, **self.state()}

    def state(self) -> dict[str, Any]:
        """Return the partitions that are answered already, by key: ``staged`` and ``committed`` ones."""
        staged = self._sink.staged()  # first, as in Sink.commit
        return {"staged": staged, "committed": self._sink.committed()}

    def mark(self, run: str, index: int) -> dict[str, Any]:
        """Note that a pod of a run has ended its share; ``ended`` are those that have."""
        return {"ended": self._sink.mark(run, index)}

    def score(self, partition: dict[str, Any]) -> dict[str, Any]:
        """Answer a partition's rows and stage its files."""
        import pyarrow as pa

        from .formats import column_names, format_of, read
        from .places import file_system_of
        from .recording import place_of
        from .scoring import scored

        self._sink.join()
        system = file_system_of(self._settings["source"])[0]
        # Files of one source may differ in the features that they leave out.
        names: Sequence[str] = (*self._keep, *self._predictor.features)
        if self._predictor.looks_up:
            names = column_names(system, partition["source"])
        columns = self._columns(names, partition["source"])
        features = self._predictor.columns(names)
        texts = format_of(partition["source"]) == "csv"
        reasons: Counter[str] = Counter()
        rows = refused = number = 0
        empty = self._predictor.empty()
        with _Files(self._sink, partition["key"], self._settings["suffix"]) as files:
            for table in read(system, partition["source"], partition["row_groups"], columns, self._predictor.schemas):
                inputs = table.select(features) if features else table.drop_columns(list(self._keep))
                began = time.monotonic()
                result = scored(self._predictor, inputs, texts=texts)
                if self._records is not None:
                    self._records.write(place_of(partition, number), result, time.monotonic() - began)
                number += 1
                if result.answers is not None:
                    kept = table.select(list(self._keep)).take(result.rows)
                    files.answers(_beside(kept, result.answers))
                if result.refused:
                    numbers = sorted(result.refused)
                    words = [result.refused[number] for number in numbers]
                    files.errors(table.take(numbers).append_column(_free("reason", table), pa.array(words)))
                    reasons.update(words)
                    if len(reasons) > _MOST_COUNTED:  # reasons hold values: there may be one a row
                        reasons = Counter(dict(reasons.most_common(_MOST_COUNTED // 10)))
                if not rows:
                    empty = _beside(table.select(list(self._keep)).slice(0, 0), empty)
                rows += table.num_rows
                refused += len(result.refused)
                self._say({"rows": table.num_rows})
            files.complete(empty)
        done = partition | {"rows": rows, "refused": refused, "reasons": dict(reasons.most_common(MOST_REASONS))}
        done["snapshot"] = self._settings["tag"]
        self._sink.stage(done)
        return done

    def commit(self, keys: list[str], planned: list[str]) -> dict[str, Any]:
        """Commit staged partitions (``Sink.commit``)."""
        self._sink.commit(keys, planned)
        self._sink.forget_runs()
        return {}

    def _columns(self, names: Sequence[str], path: str) -> list[str] | None:
        """Return the columns that are read of a file with these; None: all, since the model takes rows without names.

        Raises
        ------
        PlaceError
            A column is missing.
        """
        from .places import PlaceError

        lacking = self._predictor.missing(names) if self._predictor.features else {}
        missing = [*(name for name in self._keep if name not in names), *lacking]
        if missing:
            words = ", ".join(map(repr, missing[:5]))
            keys = ", ".join(dict.fromkeys(repr(key) for key in lacking.values() if key))
            instead = f", and no key {keys} by which features are looked up" if keys else ""
            raise PlaceError(f"{path} has no column {words}{instead}; it has {', '.join(names[:20])}")
        features = self._predictor.columns(names)
        return list(dict.fromkeys((*self._keep, *features))) if self._predictor.features else None


class _Files:
    """The two files of a partition, opened with their first rows."""

    def __init__(self, sink: Any, key: str, suffix: str) -> None:
        self._sink, self._key = sink, key
        self._kind = suffix[1:]
        self._open: dict[bool, tuple[Any, Any, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _, writer, stream in self._open.values():
            writer.__exit__(None, None, None)
            stream.close()

    def answers(self, table: Any) -> None:
        self._write(table, errors=False)

    def errors(self, table: Any) -> None:
        self._write(table, errors=True)

    def complete(self, empty: Any) -> None:
        """Write a file of answers without rows if there is none: a partition has one in any case."""
        if False not in self._open:
            self._write(empty, errors=False)

    def _write(self, table: Any, *, errors: bool) -> None:
        from .formats import writer

        if errors not in self._open:
            stream = self._sink.system.open_output_stream(self._sink.path_of(self._key, errors=errors))
            self._open[errors] = (table.schema, writer(stream, table.schema, self._kind).__enter__(), stream)
        schema, opened, _ = self._open[errors]
        opened.write_table(table if table.schema == schema else table.cast(schema))


def _grouped(rows: list[int], most: int) -> Iterator[list[int]]:
    """Yield the numbers of row groups that have at most ``most`` rows together, or one that has more."""
    group: list[int] = []
    count = 0
    for number, size in enumerate(rows):
        if group and count + size > most:
            yield group
            group, count = [], 0
        group.append(number)
        count += size
    if group:
        yield group


def _beside(kept: Any, answers: Any) -> Any:
    for number, name in enumerate(kept.column_names):
        answers = answers.add_column(number, kept.schema.field(name), kept.column(name))
    return answers


def _free(name: str, table: Any) -> str:
    while name in table.column_names:
        name += "_"
    return name


def _masked(words: str) -> str:
    """Return an error without the model's secrets, which a driver may quote."""
    try:
        from ..output_masking import without_secrets
    except ImportError:  # a package is missing, which the error says
        return words
    return without_secrets(words)


def main() -> None:
    """Serve requests until standard input ends."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints is no answer
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    serve(requests, channel)


def serve(requests: TextIO, channel: TextIO) -> None:
    """Answer requests, one line each."""

    def say(document: Mapping[str, Any]) -> None:
        channel.write(json.dumps(document) + "\n")
        channel.flush()

    worker: _Worker | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if worker is None:
                worker = _Worker(request, say)
                say({"result": {}})
                continue
            operation = getattr(worker, request.pop("op"))
            say({"result": operation(**request)})
        except Exception as error:  # noqa: BLE001 - any error is an answer
            words = _masked(str(error) or type(error).__name__)
            source = request.get("partition", {}).get("source")
            say({"error": f"{source}: {words}" if source else words, "kind": type(error).__name__})
            traceback.print_exc(file=sys.stderr)
