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

if TYPE_CHECKING:
    import pyarrow as pa


class TablePredictor:
    """Answers Arrow tables by one model, one call at a time: few models support concurrent calls.

    Parameters
    ----------
    model
        A loaded snapshot.

    Attributes
    ----------
    features
        The names of the model's columns; empty if a row is no object.
    schemas
        The JSON Schema of each of them.
    """

    def __init__(self, model: Model) -> None:
        signature = model.manifest["signature"]
        self._model = model
        rows = Rows(signature["instance_schema"])
        self._columnar = Columnar(model.decoder, signature["container"], rows)
        self.features = tuple(rows.names)
        self.schemas = rows.kinds
        self._lock = threading.Lock()
        self._empty: pa.Table | None = None

    def answer(self, table: pa.Table) -> pa.Table:
        """Answer each row of a table, in its order.

        Parameters
        ----------
        table
            The features as columns by name; for a model of arrays, one column a feature or a single column of lists.

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
        """
        if not table.num_rows:
            return self.empty()
        from .protocols.arrow import dense

        with self._lock:
            parsed = self._columnar.of_table(dense(table))
            with in_role("direct"):
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
