"""The request of a search for models."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.parsing import Duration
from jupyter_deploy.domain.requests import Reason, Request
from jupyter_deploy.domain.validation.parameters import Texts

IMPORTANT: dict[str, Any] = {"important": True}
"""A form shows the field at once."""


class AutomlRequest(Request):
    """Find models for a table: search, write a notebook that trains the best ones, and show them as candidates.

    The search tries models of each family by cross-validation. The notebook trains the best of each family, an ensemble
    of them and a plain baseline by scikit-learn and LightGBM alone. It is run, its models are proved to answer as the
    search's did, and all are measured as 'candidates' does. Nothing is deployed without --deploy.

    Example: nbdeploy automl tumours.parquet --label-column malignant --time 10m --budget "p99 <= 5ms" --deploy tumour
    """

    data: Annotated[str, FilePath()] = Field(
        description="The table, a Parquet or CSV file: a row for each case.", json_schema_extra={"positional": True}
    )
    label_column: str = Field(description="The column to predict.")
    time: Duration | None = Field(
        default=None,
        description="How long to search, such as 10m (default: 1m without --trials); training, proof and measurement "
        "come on top.",
        json_schema_extra=IMPORTANT,
    )
    trials: int | None = Field(
        default=None,
        ge=1,
        description="How many models to try: with the same seed the result is the same. With --time, whichever ends "
        "first.",
        json_schema_extra=IMPORTANT,
    )
    metric: str | None = Field(
        default=None,
        description="A metric by scikit-learn's name, such as f1_macro (default: accuracy for classes, else the mean "
        "absolute error; the log loss of predict_proba).",
        json_schema_extra=IMPORTANT,
    )
    budget: Texts = Field(
        default=(),
        description="A condition that the chosen model meets (repeatable), such as 'p99 <= 5ms', 'memory_mb <= 300' or "
        "'accuracy >= 0.9'.",
        json_schema_extra=IMPORTANT,
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of the split, the search and the models.")
    task: Literal["auto", "classification", "regression"] = Field(
        default="auto", description="auto: texts, truth values and few whole numbers are classes."
    )
    method: Literal["predict", "predict_proba"] | None = Field(
        default=None, description="The method to serve (default: predict); predict_proba: probabilities of classes."
    )
    exclude: Texts = Field(
        default=(),
        description="A column that the models do not get (repeatable), such as one that is not known yet when a "
        "prediction is needed.",
    )
    time_column: str | None = Field(
        default=None,
        description="The latest rows by this column are held out (default: the only column with dates).",
    )
    group_column: str | None = Field(
        default=None,
        description="Rows with the same value of this column, such as a customer, are never on both sides of a split; "
        "the models do not get it.",
    )
    random_split: bool = Field(default=False, description="Hold out random rows although there is a column of dates.")
    engine: str = Field(
        default="flaml",
        description="The search engine: flaml, or autogluon, which is installed into an environment of its own.",
    )
    notebook: Annotated[str | None, FilePath(written=True)] = Field(
        default=None, description="The notebook to write (default: automl-LABEL.ipynb in this folder)."
    )
    replace: bool = Field(default=False, description="Replace an existing notebook.")
    native_only: bool = Field(default=False, description="Do not translate the models to ONNX.")
    deploy: str | None = Field(
        default=None,
        description="Deploy the best model that meets the budget behind this endpoint: the first release is stable, a "
        "later one starts as a shadow.",
        json_schema_extra=IMPORTANT | {"completes": "endpoint"},
    )
    reason: Reason = Field(default="", json_schema_extra={"important": False})

    def seconds(self, default: float) -> float | None:
        """Return the time limit of the search; None: the number of trials ends it alone."""
        given: Any = self.time
        if isinstance(given, timedelta):
            return given.total_seconds()
        return None if self.trials else default
