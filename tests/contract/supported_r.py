"""The results of capture and replay for every model of ``models_of_r``, and the page about them."""

import json
from pathlib import Path

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
