"""A snapshot's answers to whole tables in this process: those of a release to the same rows, without HTTP and records.

Engines of tables (DuckDB, polars, Ray Data, Spark, Dask) call it in their workers, and so does a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .dispatch.predictions import predictions_of
from .protocols.columnar import Columnar, table_of
from .protocols.tables import Rows
from .role import in_role
from .snapshot import Model
from .values.validation import InvalidInstances

if TYPE_CHECKING:
    import pyarrow as pa

    from .features.tables import Completed


class TablePredictor:
    """Answers Arrow tables by one model, one call at a time: few models support concurrent calls.

    Parameters
    ----------
    model
        A loaded snapshot.
    role
        What ``serving_role()`` returns to the model; that of a shadow takes a shadow's connections.

    Attributes
    ----------
    features
        The names of the model's columns; empty if a row is no object.
    schemas
        The JSON Schema of each of them.
    secrets
        The variables that had the model's secrets at its capture.
    """

    def __init__(self, model: Model, role: str = "direct") -> None:
        signature = model.manifest["signature"]
        self._model, self._role = model, role
        rows = Rows(signature["instance_schema"])
        self._columnar = Columnar(model.decoder, signature["container"], rows)
        self.features = tuple(rows.names)
        self.schemas = rows.kinds
        self.secrets = tuple(model.captured.get("secrets") or ())
        self._lookups = None
        if model.decoder.looks_up:
            from .features.tables import TableLookups  # only for a model with lookups

            keys = {lookup["key"]: lookup["key_schema"] for lookup in model.manifest["lookups"]}
            self._lookups = TableLookups(model.decoder, model.codec.schema, keys)  # type: ignore[arg-type]
        self._lock = threading.Lock()
        self._empty: pa.Table | None = None

    @property
    def looks_up(self) -> bool:
        """Whether the columns that are read depend on those that a table has: keys stand for features."""
        return self._lookups is not None

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are read of a table with these columns, without those that it lacks.

        Empty: all, since a row is no object.
        """
        if self._lookups is not None:
            return self._lookups.columns(names)
        return [name for name in self.features if name in names]

    def missing(self, names: Sequence[str]) -> dict[str, str]:
        """Return the features that a table lacks, each with the key by which it is looked up (empty: by none)."""
        if self._lookups is not None:
            return self._lookups.missing(names)
        return {name: "" for name in self.features if name not in names}

    def completed(self, table: pa.Table, *, texts: bool = False) -> Completed | None:
        """Look up the features that a table leaves out (``TableLookups.completed``); None: the model looks none up."""
        from .protocols.arrow import dense

        if self._lookups is None:
            return None
        with self._lock, in_role(self._role):
            return self._lookups.completed(dense(table), texts=texts)

    def answer(self, table: pa.Table) -> pa.Table:
        """Answer each row of a table, in its order.

        Parameters
        ----------
        table
            The features as columns by name; for a model of arrays, one column a feature or a single column of lists.
            Features that the model looks up may be left out if there is a column of their key.

        Returns
        -------
        pyarrow.Table
            The columns of the model's frame, the keys of its dicts, or one column ``prediction``.

        Raises
        ------
        Problem, InvalidInstances
            The table, or a row of it, does not fit the signature.
        BadAnswer
            The model did not return one value for each row.
        ResourceUnavailable, LookupFailed
            The resource of a lookup is away, or its query fails.
        """
        if not table.num_rows:
            return self.empty()
        from .protocols.arrow import dense

        completed = self.completed(table)
        if completed is not None and completed.errors:
            raise InvalidInstances(completed.errors)
        with self._lock:
            try:
                parsed = self._columnar.of_table(dense(table) if completed is None else completed.table)
            except InvalidInstances as invalid:
                raise (invalid if completed is None else completed.explained(invalid)) from invalid
            with in_role(self._role):
                native = self._model.call_native(self._model.decoder.batch([parsed]))
            return table_of(native, predictions_of(native, parsed.rows))

    def recorded(self, table: pa.Table) -> Any:
        """Return the rows of a table as the record of a request has them. Raises as ``answer``."""
        from .protocols.arrow import dense

        return self._columnar.of_table(dense(table)).inputs

    def empty(self) -> pa.Table:
        """Return the answer to a table without rows; its columns are those of the answers to the example."""
        if self._empty is None:
            instances: Sequence[Any] = self._model.manifest["instances"]
            with self._lock:
                parsed = self._model.decoder.instances(list(instances))
                with in_role("probe"):
                    native = self._model.call_native(self._model.decoder.batch([parsed]))
                self._empty = table_of(native, predictions_of(native, parsed.rows)).slice(0, 0)
        return self._empty
