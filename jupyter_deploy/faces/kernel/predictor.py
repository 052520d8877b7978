"""``load()``: a proved model as a function of tables, for the workers of DuckDB, polars, Ray Data, Spark and Dask."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import EnvironmentChanged, InvalidInput, TargetError, Untrusted

if TYPE_CHECKING:
    import pyarrow as pa

    from jupyter_deploy.domain.ports import Ports
    from jupyter_deploy.serving.table_predictor import TablePredictor

_MOST_ERRORS = 10


def load(
    tag: str | None = None, *, endpoint: str | None = None, role: str = "stable", keep: Sequence[str] = ()
) -> Predictor:
    """Load a proved model as a function of tables, which answers as its endpoint does.

    The model runs in the calling process, once for each process, with the features by name, the checks of each row and
    the answers of a release. No request is recorded. ``jupyter_deploy.model()`` instead serves it in a process of its
    own, with its own environment.

    Parameters
    ----------
    tag : str
        A snapshot's tag, or the beginning of it.
    endpoint : str
        In place of ``tag``: the endpoint whose release is loaded.
    role : str
        The release's role there: ``stable``, ``canary`` or ``shadow``; or its tag, version or label.
    keep : sequence of str
        Columns that are handed on from the input to the answer, such as an id.

    Returns
    -------
    Predictor
        A function of a table or frame. It can be pickled: a worker loads the model at its first table, after its digest
        is verified.

    Raises
    ------
    InvalidInput
        Neither or both of ``tag`` and ``endpoint`` are given, or there is no such model.
    Untrusted
        Another store captured the model, or its files have changed since.
    EnvironmentChanged
        The packages of this process are not those of the capture.
    """
    from jupyter_deploy.wiring import Wiring

    if isinstance(keep, str):
        keep = (keep,)
    if (tag is None) == (endpoint is None):
        raise InvalidInput("which model?", "write load('TAG') or load(endpoint='NAME', role='stable')")
    predictor = Predictor(*_place(tag, endpoint, role, Wiring().ports), keep=tuple(keep))
    predictor.loaded()
    return predictor


def _place(tag: str | None, endpoint: str | None, role: str, ports: Ports) -> tuple[str, str, str]:
    """Return the tag, the digest and the folder of a snapshot."""
    if endpoint is not None:
        from jupyter_deploy.verbs.change import find

        found = find(ports, endpoint)
        roles: dict[str, str] = {found.traffic.role_of(release.tag): release.tag for release in found.releases}
        release = found.release(roles.get(role, role))
        return release.tag, release.digest, release.snapshot_path
    from jupyter_deploy.verbs.capture import load_snapshot

    snapshot = load_snapshot(tag or "", trust=False, ports=ports)
    return snapshot.tag, snapshot.digest, str(snapshot.path)


@dataclass(frozen=True)
class Predictor:
    """A proved model as a function of tables.

    Attributes
    ----------
    tag
        The snapshot's tag.
    digest
        ``sha256:…`` of the snapshot; each process verifies it before it loads the model.
    folder
        The snapshot's folder in the model store, which each worker must reach.
    keep
        Columns that are handed on from the input to the answer.
    """

    tag: str
    digest: str
    folder: str
    keep: tuple[str, ...] = ()

    def __call__(self, data: Any) -> Any:
        """Answer each row, in its order.

        Parameters
        ----------
        data
            A ``pyarrow.Table`` or ``RecordBatch``, a frame of pandas or polars, or a dict of columns by name (as Ray
            Data hands over). Missing values and NaN count as null.

        Returns
        -------
        The same kind of table, with the columns of ``keep`` and of the answers: those of the model's frame, the keys of
        its dicts, or ``prediction``. A frame of pandas has the index of ``data``.

        Raises
        ------
        InvalidInput
            The table, or a row of it, does not fit the model; the error names rows and features.
        TargetError
            The model raised an exception.
        """
        import pyarrow as pa

        if isinstance(data, pa.Table):
            return self._answer(data)
        if isinstance(data, pa.RecordBatch):
            return _one_batch(self._answer(pa.Table.from_batches([data])))
        if hasattr(data, "to_arrow") and hasattr(data, "collect_schema"):
            return _polars(self._answer(data.to_arrow()))
        if hasattr(data, "iloc") and hasattr(data, "columns"):
            answer = self._answer(pa.Table.from_pandas(data, preserve_index=False)).to_pandas()
            answer.index = data.index
            return answer
        if isinstance(data, dict):
            answer = self._answer(pa.table({name: _column(values) for name, values in data.items()}))
            return {name: answer.column(name).to_numpy() for name in answer.column_names}
        raise InvalidInput(
            f"a {type(data).__name__} is no table", "give a pyarrow table, a frame of pandas or polars, or a dict"
        )

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Answer batches one after another: the function that Spark's ``mapInArrow`` takes.

        Raises
        ------
        InvalidInput, TargetError
            As for a call.
        """
        for batch in batches:
            yield self(batch)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the answers, without those of ``keep``: a ``pyarrow.Schema``."""
        return self.loaded().empty().schema

    def loaded(self) -> TablePredictor:
        """Return this process's model, loaded at the first call.

        Raises
        ------
        Untrusted
            A file of the snapshot is not as it was captured.
        EnvironmentChanged
            The packages of this process are not those of the capture.
        """
        with _lock:
            if self.folder not in _loaded:
                _loaded[self.folder] = _table_predictor(self)
            return _loaded[self.folder]

    def _answer(self, table: pa.Table) -> pa.Table:
        missing = [name for name in self.keep if name not in table.column_names]
        if missing:
            raise InvalidInput(f"the table has no column '{missing[0]}' to keep", f"it has {_names(table)}")
        kept = table.select(self.keep)
        model = self.loaded()
        read = model.columns(table.column_names)
        answer = self._answered(model, table.drop_columns([name for name in self.keep if name not in read]))
        twice = [name for name in self.keep if name in answer.column_names]
        if twice:
            raise InvalidInput(f"the model answers a column '{twice[0]}' too", f"rename '{twice[0]}' in the table")
        for name in reversed(self.keep):
            answer = answer.add_column(0, kept.schema.field(name), kept.column(name))
        return answer

    def _answered(self, model: TablePredictor, table: pa.Table) -> pa.Table:
        from jupyter_deploy.serving.asgi.problems import Problem
        from jupyter_deploy.serving.connections import unavailable
        from jupyter_deploy.serving.values.validation import InvalidInstances

        try:
            return model.answer(table)
        except InvalidInstances as error:
            raise _invalid(self.tag, error.errors) from error
        except Problem as error:
            raise _invalid(self.tag, error.errors or [{"loc": [], "msg": error.detail}]) from error
        except Exception as error:
            if (away := unavailable(error)) is not None:
                unset = [name for name in model.secrets if name not in os.environ]
                remedy = f"set {', '.join(unset)} in this process's environment" if unset else "start the database"
                raise TargetError(f"{self.tag} failed: {away}", f"{remedy}, and try again") from error
            raise TargetError(f"{self.tag} failed: {type(error).__name__}: {error}") from error


_lock = threading.Lock()
_loaded: dict[str, TablePredictor] = {}


def _table_predictor(place: Predictor) -> TablePredictor:
    """Load the model, if this process has the packages of its capture."""
    from jupyter_deploy.serving import environment, snapshot
    from jupyter_deploy.serving.table_predictor import TablePredictor

    try:
        manifest = json.loads((Path(place.folder) / snapshot.MANIFEST).read_bytes())
        lines = environment.changes(manifest)
        if lines:
            raise EnvironmentChanged(
                f"this process has other packages than the capture of {place.tag}",
                f"run it by {manifest['environment']['interpreter']}{_or_install(manifest, lines)}",
                "\n".join(lines),
            )
        return TablePredictor(snapshot.load(place.folder, place.digest))
    except OSError as error:
        raise Untrusted(
            f"{place.folder} cannot be read: {error.strerror or error}", "does this machine see the model store?"
        ) from error
    except (snapshot.SnapshotChanged, ValueError, LookupError) as error:
        raise Untrusted(str(error), "deploy the model again from its notebook") from error
    except ImportError as error:
        raise TargetError(f"{place.tag} cannot be loaded in this process: {error}") from error


def _or_install(manifest: Mapping[str, Any], lines: Sequence[str]) -> str:
    """Return the command that installs the distributions that differ."""
    captured = manifest["environment"]["distributions"]
    names = [line.partition(":")[0] for line in lines]
    pins = [f"{name}=={captured[name]}" for name in names if name in captured]
    return f", or: pip install {' '.join(pins)}" if pins else ""


def _invalid(tag: str, errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Return the error that names rows and features."""
    lines = [_line(error) for error in errors[:_MOST_ERRORS]]
    if len(errors) > _MOST_ERRORS:
        lines.append(f"… and {len(errors) - _MOST_ERRORS} more")
    return InvalidInput(f"{tag} does not accept the table: {lines[0]}", details="\n".join(lines))


def _line(error: Mapping[str, Any]) -> str:
    place = list(error["loc"])[1:]  # the first part is "instances"
    row = f"row {place.pop(0)}" if place and isinstance(place[0], int) else ""
    where = ", ".join(part for part in (row, ".".join(map(str, place))) if part)
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def _names(table: pa.Table) -> str:
    return ", ".join(table.column_names[:_MOST_ERRORS]) or "no columns"


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    import pyarrow as pa

    table = table.combine_chunks()
    return table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)


def _polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


def _column(values: Any) -> Any:
    """Return a column of an array; of each dimension but the first, a list."""
    import numpy as np
    import pyarrow as pa

    if not isinstance(values, np.ndarray) or values.ndim < 2:
        return pa.array(values, from_pandas=True)
    nested = pa.array(values.ravel(), from_pandas=True)
    for size in reversed(values.shape[1:]):
        nested = pa.FixedSizeListArray.from_arrays(nested, size)
    return nested
