"""Trees of R as ONNX graphs: labels and probabilities where there is no R, splits to the last bit, votes in a tie."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.r import DESIGN_ARRAYS
from jupyter_deploy.capture.translation import proof
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.r_design import read_design
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from tests.contract.capturing import kept
from tests.r_sessions import captured

WITHOUT_R = """
import json, sys
from pathlib import Path
import pandas as pd
from jupyter_deploy.serving.snapshot import load

model = load(Path(sys.argv[1])).native
answers = model.predict(pd.DataFrame(json.load(sys.stdin)))
print(json.dumps(answers.to_dict("records") if hasattr(answers, "columns") else answers))
"""

FLOWERS = "iris2 <- iris\n\niris2$Petal.Width[3] <- NA\n\nset.seed(1)\n\n"
FORMS = {
    "labels": "fit <- randomForest::randomForest(Species ~ ., iris2, ntree = 51, na.action = na.omit)",
    "probabilities": "fit <- rpart::rpart(Species ~ ., iris2, maxsurrogate = 0, usesurrogate = 0)",
}
ROWS = {
    "Sepal.Length": [5.1, 5.2, 7.0],
    "Sepal.Width": [3.5, 2.7, 3.2],
    "Petal.Length": [1.4, 3.9, 4.7],
    "Petal.Width": [0.2, 1.4, None],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_translated_classifier_has_rs_form_of_answers_where_there_is_no_r(tmp_path, form):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with captured(tmp_path, FLOWERS + FORMS[form], "fit", "iris2[c(1, 3, 60), 1:4]", engine="onnx") as live:
        answers = live.model.predict(pd.DataFrame(ROWS))
        snapshot = kept(capturer, live, "flowers")
    assert snapshot.manifest.translation.flips_at_most < 0.01
    assert {"missing", "threshold"} < set(snapshot.manifest.translation.rows)
    (folder,) = (path.parent for path in (tmp_path / "bentoml" / "models").rglob("model.onnx"))
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_R, folder],
        input=json.dumps(ROWS),
        env={name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    if form == "labels":
        assert json.loads(ended.stdout) == answers == ["setosa", "versicolor", None]
    else:
        assert json.loads(ended.stdout) == answers.to_dict("records")
        assert answers["versicolor"].iloc[2] == 0.5, "it stops at a node whose split it cannot decide"
    conformance = json.loads((folder / "conformance.json").read_text())
    assert ["None"] not in conformance["answers"], "a client has no form for a missing label"


def _translated(tmp_path, cells, example, change=None, **options):
    """The proof; ``change`` is called with the vectors of the design, to describe another tree than R's."""
    with captured(tmp_path, cells, "fit", example, **options) as live:
        if change:
            design = read_design(live.model.folder)
            change(design.arrays)
            content = b"".join(design.arrays[name].astype("<f8").tobytes() for name in design.document["arrays"])
            (live.model.folder / DESIGN_ARRAYS).write_bytes(content)
        seen = inspect_model(live.model, live.example, live.method)
        return translate(live.model, seen, live.training, Tolerance())[1]


def test_the_proof_finds_a_split_that_is_one_bit_away(tmp_path):
    def move(arrays):
        arrays["point"][:] = np.nextafter(arrays["point"], np.inf)

    with pytest.raises(NotTranslated, match=r"\(.*\d threshold\)"):
        _translated(tmp_path, "fit <- rpart::rpart(mpg ~ wt + hp, mtcars)", "head(mtcars[c('wt', 'hp')])", move)


def test_the_proof_finds_surrogates_in_another_order(tmp_path):
    def reverse(arrays):
        inner = arrays["leaf"] == 0
        begins = (arrays["first"] + 1 + arrays["competing"])[inner].astype(int)
        for begin, count in zip(begins, arrays["surrogate"][inner].astype(int), strict=True):
            for name in ("variable", "categories", "point"):
                arrays[name][begin : begin + count] = arrays[name][begin : begin + count][::-1].copy()

    with pytest.raises(NotTranslated, match=r"\(.*\d missing\)"):
        _translated(tmp_path, "fit <- rpart::rpart(mpg ~ ., mtcars, minsplit = 6)", "head(mtcars[-1])", reverse)


def test_what_r_refuses_of_a_forest_its_translation_refuses_too(tmp_path):
    cells = "set.seed(1)\n\nfit <- randomForest::randomForest(iris[c(2, 5)], iris$Sepal.Length, ntree = 3)"
    with captured(tmp_path, cells, "fit", "iris[c(1, 60, 120), c(2, 5)]") as live:
        served, _ = translate(live.model, inspect_model(live.model, live.example, None), live.training, Tolerance())
        row = live.example[:1]
        with pytest.raises(ValueError, match=r"the column 'Sepal.Width' is missing in row 0"):
            served.predict(row.assign(**{"Sepal.Width": np.nan}))
        with pytest.raises(ValueError, match="the column 'Species' has a missing value"):
            served.predict(row.assign(Species=pd.Categorical([None], row["Species"].cat.categories)))


class Fixed:
    """Stands for a translation that answers the same label for each row."""

    form = {"method": "predict"}

    def predict(self, table):
        return ["a"] * len(table)


def _proved(original, *, draws):
    rows = pd.DataFrame({"x": range(50)})
    return proof.prove(original, Fixed(), {"random": rows}, Tolerance(), "none", draws=draws)


def test_a_label_that_r_draws_in_a_tie_counts_and_one_that_it_never_draws_does_not():
    generator = np.random.default_rng(1)

    def drawing(table):
        return generator.choice(["a", "b"], len(table)).tolist()

    assert _proved(drawing, draws=True).rows == {"random": 50}
    with pytest.raises(NotTranslated):
        _proved(drawing, draws=False)
    with pytest.raises(NotTranslated, match="answers 1 of 50 rows"):
        _proved(lambda table: ["b" if x == 7 else "a" for x in table["x"]], draws=True)


TIES = "set.seed(1)\n\nfit <- randomForest::randomForest(factor(am) ~ wt + hp, mtcars, ntree = 2)"


def test_a_forest_that_is_often_in_a_tie_is_translated(tmp_path):
    proved = _translated(tmp_path, TIES, "mtcars[c(1, 5, 20), c('wt', 'hp')]")
    assert proved.rows["random"] == 2000


def test_a_forest_whose_example_is_in_a_tie_is_served_by_r_under_auto(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    # So many rows in a tie that R hardly draws the first class on all of them.
    with captured(tmp_path, TIES, "fit", "mtcars[rep(1:32, 12), c('wt', 'hp')]", engine="auto") as live:
        manifest = kept(capturer, live, "cars").manifest
    assert manifest.translation is None
    assert any("as many votes for another label, and randomForest.formula draws" in note for note in manifest.notes)
