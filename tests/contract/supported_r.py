"""The results of capture and replay for every model of ``models_of_r``, and the page about them."""

import json
from pathlib import Path

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract.capturing import kept
from tests.r_sessions import captured

PAGE = Path(__file__).parents[2] / "docs" / "supported-r-models.md"

HEAD = """# Supported models of R

Made by `python -m scripts.supported_r_models` from the contract tests. Each model below was fitted
in R, captured there, and answered again by two clean processes of R with the session's own answers,
the second time also over JSON.

Each object with a `predict` method and each function of a data frame can be deployed, whether it is
listed or not: these are the tested ones. `tidymodels`, `mlr3`, `xgboost` and others have the same
`predict` and are not tested.

| package | model | answer | rows together as alone |
|---|---|---|---|
"""

TRANSLATIONS_TITLE = "\n## Translated to ONNX\n"

TRANSLATIONS = """
These are served without R by `deploy --engine onnx` (or `auto`), by their own coefficients or
trees.

- **equal**: `to the last bit`, or the largest difference in relation to the answer, which the
  replay's tolerance allows.
- **proof**: the rows on which a deploy compares R and the translation: example, training table,
  random rows, rows far beyond the seen ranges, each level, missing values, and of trees rows at the
  splits and next to them. One other answer refuses the translation. Where a forest of classes has
  as many votes for one as for another, R draws one of them, and so each that it draws counts.

| package | model | equal | proof |
|---|---|---|---|
"""


def translated(fit, folder):
    """The proof of a model's translation."""
    with captured(folder, fit.cells, fit.model, fit.example, method=fit.type, training=fit.training) as live:
        seen = inspect_model(live.model, live.example, live.method)
        return translate(live.model, seen, live.training, Tolerance())[1]


def translated_line(fit, folder):
    """The line of a model in the table of translations."""
    proof = translated(fit, folder)
    largest = proof.largest_relative_difference
    equal = "to the last bit" if largest == 0 else f"within {largest:.0e}"
    return f"| {fit.package} | {fit.kind} | {equal} | {proof.total:,} rows |"


def proved(capturer, live):
    """The manifest of a live object that a clean process has proved, stored."""
    return kept(capturer, live, "model").manifest


def line_of(fit, capturer, folder):
    """The line of a model, whose answers a clean process gave again."""
    with captured(folder, fit.cells, fit.model, fit.example, method=fit.type) as live:
        manifest = proved(capturer, live)
    assert not manifest.stochastic
    together = "equal" if manifest.batchable else "differ"
    return f"| {fit.package} | {fit.kind} | {_words(manifest.signature.answer_schema)} | {together} |"


def _words(schema):
    if schema.get("type") == "object":
        return f"an object of {', '.join(f'`{name}`' for name in schema['properties'])}"
    if schema.get("type") == "array":
        return "a list of numbers"
    return " or ".join(kind if isinstance(kind := schema.get("type"), list) else [kind or json.dumps(schema)])


def page(lines):
    return HEAD + "".join(f"{line}\n" for line in lines)


def translations(lines):
    """The part of the page about models that are translated."""
    return TRANSLATIONS_TITLE + TRANSLATIONS + "".join(f"{line}\n" for line in lines)
