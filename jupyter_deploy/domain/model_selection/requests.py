"""The request of a choice among models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.domain.validation.parameters import Texts


class CandidatesRequest(Request):
    """Choose among models of a notebook: measure each one, natively and translated, and show one table.

    Each model is captured as a deploy captures it and measured in a clean process: its score on your rows with
    intervals, its latency, throughput, memory and cost. Nothing is deployed.

    Example: nbdeploy candidates train.ipynb logit forest --x X_test --y y_test --constraint "latency_p99_ms <= 5"
    """

    models: Annotated[Texts, FilePath(first_only=True)] = Field(
        default=(),
        description="A notebook, which runs headless with all its cells, then the variables that hold the models, each "
        "one a model or a list of its fits; in a magic the variables alone.",
        json_schema_extra={"positional": True},
    )
    x: str = Field(description="An expression for the rows that the models take, such as X_test.")
    y: str = Field(description="An expression for their true answers, such as y_test.")
    metric: str | None = Field(
        default=None,
        description="A metric by scikit-learn's name, such as f1_macro, or a function's name (default: accuracy for "
        "classifiers, else the mean absolute error).",
    )
    by: str | None = Field(
        default=None, description="Subgroups to score too: a column of x, or an expression for a named column."
    )
    constraint: Texts = Field(
        default=(),
        description="A condition on a figure (repeatable), such as 'memory_mb <= 300' or 'accuracy >= stable - 0.01'.",
    )
    method: str | None = Field(
        default=None, description="The method to serve (default: predict); predict_proba is scored by the log loss."
    )
    endpoint: str | None = Field(
        default=None, description="An endpoint whose stable release is measured too, as the row 'stable'."
    )
    native_only: bool = Field(default=False, description="Do not translate the models to ONNX.")
