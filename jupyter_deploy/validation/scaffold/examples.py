"""A first validation notebook for a model, from its training notebook; and an example model for an empty project."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.validation.scaffold import Trained
from jupyter_deploy.notebooks.syntax import Statement, names_of, statements_of

_HELD_OUT = (
    ("X_test", "y_test"), ("x_test", "y_test"), ("X_val", "y_val"), ("X_valid", "y_valid"), ("X_holdout", "y_holdout"),
    ("test_X", "test_y"), ("X_eval", "y_eval"), ("X", "y"),
)  # fmt: skip
"""Common names of features and targets, held-out ones first."""

NUMPY = "import numpy as np"

_MEASURES = re.compile(
    r"(?<!Logistic)Regress|Ridge|Lasso|ElasticNet|SVR\b|\bOLS\b|absolute_error|squared_error|MSELoss"
)

TRAINING = (
    (
        "markdown",
        "# Train: is a biopsy malignant?\n\nAn example, to be replaced by a notebook of yours: scikit-learn's "
        "breast-cancer data, of which every third row is held\nout. `%deploy` puts the model behind an endpoint.",
    ),
    (
        "code",
        "import numpy as np\nfrom sklearn.datasets import load_breast_cancer\n"
        "from sklearn.linear_model import LogisticRegression\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n\ndata = load_breast_cancer(as_frame=True)\n"
        "X, y = data.data, data.target.map(dict(enumerate(data.target_names)))\n"
        "held_out = np.arange(len(X)) % 3 == 0\n"
        "X_train, y_train = X[~held_out], y[~held_out]\nX_test, y_test = X[held_out], y[held_out]",
    ),
    (
        "code",
        "model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X_train, y_train)\n"
        "model.score(X_test, y_test)",
    ),
    ("code", '%load_ext jupyter_deploy\n%deploy model --name biopsy --example "X_test[:5]"'),
)
"""Kind and source of each cell."""

TRAINED = Trained(notebook="train.ipynb", name="biopsy", model="model", example="X_test[:5]")


@dataclass(frozen=True)
class Example:
    """A notebook as JSON text, its gates, and a note about the parts that the user must add."""

    text: str
    gates: tuple[str, ...] = ()
    lacks: str = ""


def training_example() -> str:
    """Return a notebook that trains a model, for a project without one."""
    return notebook_text(TRAINING)


def validation_example(trained: Trained, cells: Sequence[str], *, regression: bool | None) -> Example:
    """Return a validation notebook for a model.

    Parameters
    ----------
    trained : Trained
        The model.
    cells : sequence of str
        The code of its training notebook.
    regression : bool or None
        Whether its answers are numbers; None: inferred from the cells' imports and calls.
    """
    bound = {name for statement in statements_of(cells) for name in statement.effects.binds}
    pair = next((pair for pair in _HELD_OUT if bound.issuperset(pair)), None)
    if pair is None or "--method" in trained.options:
        return _only_answers(trained, cells)
    measures = bool(_MEASURES.search("\n".join(cells))) if regression is None else regression
    rows, truth = pair
    trained_on = pair == ("X", "y")
    note = (
        f"Rows and truths as `{trained.notebook}` makes them. **The model was trained on them:** put rows here that "
        "no\ntraining saw, or the figures below flatter it."
        if trained_on
        else f"Made as in `{trained.notebook}`: keep the two alike, or read both from one file."
    )
    figure = "errors" if measures else "right"
    how = (
        f'errors = np.abs(answers - np.asarray({truth}))\nmetric("mae", rows=errors)'
        if measures
        else f'right = answers == np.asarray({truth})\nmetric("accuracy", rows=right)'
    )
    parts = [
        *_head(trained),
        ("markdown", f"## The rows that no training saw\n\n{note}"),
        *(("code", source) for source in _sliced(cells, set(pair))),
        (
            "markdown",
            "## How good is it?\n\nWith `rows=`, a number or a truth value a row, a gate is judged with its "
            "uncertainty, and against stable row by row.\n`by=` of a column's values gives the figure for each group: "
            f'`metric(…, rows={figure}, by={rows}["sex"])`.',
        ),
        ("code", f"answers = served.predict({rows})\n{how}"),
        ("markdown", "## What must be so, whatever the figures are"),
        ("code", f'check("every row is answered", len(answers) == len({rows}))'),
    ]
    gate = "mae <= 1.1 * stable" if measures else "accuracy >= stable - 0.05"
    lacks = f"{trained.notebook} holds no rows out that its validation could use: see there" if trained_on else ""
    return Example(notebook_text(parts), (gate,), lacks)


def _only_answers(trained: Trained, cells: Sequence[str]) -> Example:
    """Return a notebook for a model without known targets: it checks that the model answers."""
    parts = [
        *_head(trained),
        (
            "markdown",
            f"## Does it answer?\n\nIt is asked its example as `{trained.notebook}` makes it, which the model may well "
            "have been trained on: this\nsays that it answers, and nothing of how well.",
        ),
        *(("code", source) for source in _sliced(cells, names_of(trained.example))),
        ("code", f"example = {trained.example}\nanswers = served.predict(example)\nanswers"),
        ("code", 'check("the example is answered", len(answers) > 0)'),
        (
            "markdown",
            "## How good is it?\n\nLoad rows here that no training saw, and what is true of them; measure, then add a "
            'gate to `nbdeploy.yaml`:\n\n```python\nmetric("accuracy", rows=served.predict(X) == y)\n```\n\n'
            "Put that in the place of the cell below, which fails so that nobody takes this for a test.",
        ),
        ("code", 'check("its quality is measured", False, "put a metric of rows that no training saw here")'),
    ]
    lacks = "it measures nothing yet, and fails until it does: its last cells say what is missing"
    return Example(notebook_text(parts), lacks=lacks)


def _head(trained: Trained) -> list[tuple[str, str]]:
    return [
        (
            "markdown",
            f"# Validate: {trained.name}\n\nAn ordinary notebook: run it by hand as it is, or as a gate with `nbdeploy "
            "validate`. What must hold of its figures\nstands in `nbdeploy.yaml`.",
        ),
        (
            "parameters",
            f'endpoint = "{trained.name}"  # whose candidate is validated; where it has none, its stable release',
        ),
        (
            "code",
            f"{NUMPY}\n\nfrom jupyter_deploy import check, metric, model\n\n"
            "served = model()  # answers as it will be served",
        ),
    ]


def _sliced(cells: Sequence[str], names: set[str]) -> list[str]:
    """Return the statements that define ``names``, cell by cell: a backward slice by static analysis."""
    needed, kept = set(names), list[Statement]()
    for statement in reversed(statements_of(cells)):
        effects = statement.effects
        if not needed & (effects.touched | effects.imports) or statement.text == NUMPY:
            continue
        needed = (needed - (effects.binds - effects.may_bind - effects.reads)) | effects.reads
        kept.append(statement)
    sources: dict[int, str] = {}
    before: Statement | None = None
    for statement in reversed(kept):
        written = _as_written(statement, cells[statement.cell - 1])
        if before is None or before.cell != statement.cell:
            sources[statement.cell] = written
        else:
            empty = min(statement.tree.lineno - (before.tree.end_lineno or 0) - 1, 2)
            sources[statement.cell] += f"\n{chr(10) * empty}{written}"
        before = statement
    return list(sources.values())


def _as_written(statement: Statement, source: str) -> str:
    """Return a statement as in its cell, with comments, if it shares no line with others."""
    lines = source.lstrip("\n").split("\n")[statement.tree.lineno - 1 : statement.tree.end_lineno]
    try:
        alone = [ast.unparse(tree) for tree in ast.parse("\n".join(lines)).body]
    except (SyntaxError, ValueError):
        alone = []
    return "\n".join(lines) if alone == [statement.text] else statement.text


def notebook_text(parts: Sequence[tuple[str, str]]) -> str:
    """Return the JSON of a notebook with these kinds and sources of cells; it is deterministic."""
    import nbformat  # needed for writing only

    cells = []
    for number, (kind, source) in enumerate(parts):
        of_code = {"tags": ["parameters"]} if kind == "parameters" else {}
        make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        cells.append(make(source, metadata=of_code, id=f"cell-{number:02}"))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    document = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    return str(nbformat.writes(document)) + "\n"
