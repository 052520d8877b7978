"""``spark_udf()``: a proved model as a function of Spark's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import InvalidInput

from .predictor import Predictor, load

if TYPE_CHECKING:
    import pyarrow as pa


def spark_udf(tag: str | None = None, *, endpoint: str | None = None, role: str = "stable") -> Callable[..., Any]:
    """Load a proved model as a function of the columns of a Spark DataFrame, which answers as its endpoint does.

    ::

        score = jupyter_deploy.spark_udf("churn:7f3ac21b9d20")
        frame.withColumn("prediction", score())

    Parameters
    ----------
    tag, endpoint, role
        The model, as for ``load()``.

    Returns
    -------
    callable
        Given names or columns, the column of the answers; without them, the model's features are read by their names.
        A model with one value for a row has a column of its type; one that answers frames or dicts, a struct. It needs
        an active Spark session. Each Python worker loads the model once, after its digest is verified.

    Raises
    ------
    InvalidInput
        Neither or both of ``tag`` and ``endpoint`` are given, there is no such model, or Spark is older than 4.1 or
        absent.
    Untrusted, EnvironmentChanged
        As for ``load()``.

    Errors of rows are those of the predictor: Spark's job fails with the row of the batch and the feature.
    """
    return udf_of(load(tag, endpoint=endpoint, role=role))


def udf_of(predictor: Predictor) -> Callable[..., Any]:
    """Return a loaded model as a function of Spark's columns; see ``spark_udf``."""
    try:
        from pyspark.sql.functions import ArrowUDFType, arrow_udf, struct
        from pyspark.sql.pandas.types import from_arrow_schema
    except ImportError as error:
        raise InvalidInput(
            f"no Spark that has functions of Arrow: {error}", "install it: pip install 'pyspark>=4.1,<5'"
        ) from error
    predictor = replace(predictor, keep=())  # the other columns of a frame stay as they are
    answers = from_arrow_schema(predictor.schema)
    single = answers[0].dataType if len(answers) == 1 else None
    called = arrow_udf(_answers(predictor, single=single is not None), single or answers, ArrowUDFType.SCALAR)
    features = tuple(predictor.loaded().features)

    def score(*columns: Any) -> Any:
        """Return the column of the answers to ``columns``, by default the model's features."""
        if not columns and not features:
            raise InvalidInput(f"{predictor.tag} takes rows without names", "name the columns: score('a', 'b')")
        return called(struct(*(columns or features)))

    return score


def _answers(predictor: Predictor, *, single: bool) -> Callable[[pa.Array], pa.Array]:
    """Return a function of arrays of structs, which travels to the workers."""

    def answers(rows: pa.Array) -> pa.Array:
        import pyarrow as pa

        found = predictor(pa.Table.from_struct_array(rows)).combine_chunks()
        return found.column(0).combine_chunks() if single else found.to_struct_array().combine_chunks()

    return answers
