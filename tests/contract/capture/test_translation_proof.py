"""The proof of a translation: rows with other answers refuse it, in a table without redacted columns."""

import re
import traceback
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.proof import compared, prove
from jupyter_deploy.capture.translation.unequal_rows import UnequalRow, table_of
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.domain.evidence.flips import share_of_flips
from jupyter_deploy.serving.agreement import faults
from tests.contract.capturing import kept, live

X, Y = load_breast_cancer(return_X_y=True)


@pytest.fixture
def forests_rounded_to_nearest(monkeypatch):
    """The classical conversion of a forest rounds its thresholds to nearest: the proof finds it out."""
    monkeypatch.setattr("jupyter_deploy.capture.translation.trees._KINDS", {})


@pytest.mark.usefixtures("forests_rounded_to_nearest")
def test_a_translation_with_other_answers_is_refused_with_its_worst_rows_of_all():
    model = RandomForestClassifier(30, random_state=0).fit(X, Y)
    with pytest.raises(NotTranslated) as refused:
        translate(model, inspect_model(model, X[:5], "predict_proba"), X, Tolerance())
    unequal, total, origins = re.search(
        r"answers ([\d,]+) of ([\d,]+) rows otherwise than the original \(([^)]+)\); labels flip in",
        refused.value.message,
    ).groups()
    counts = {name: int(count.replace(",", "")) for count, name in (one.split() for one in origins.split(", "))}
    assert sum(counts.values()) == int(unequal.replace(",", ""))
    assert int(total.replace(",", "")) > 2_500
    assert counts["random"] > 10
    first, answers, *_ = refused.value.details.split("\n\n")
    assert first.startswith("  the worst 10 of them:\n   #  origin  answer")
    assert len(first.splitlines()) == 12
    differences = [float(line.split()[5]) for line in first.splitlines()[2:]]
    assert differences == sorted(differences, reverse=True)
    assert differences[-1] > 0
    _, *rows = answers.splitlines()
    values = np.array([[float(cell) for cell in line.split()[1:]] for line in rows])
    assert values.shape[0] == 10
    assert max(map(len, refused.value.details.splitlines())) <= 78


def test_flips_of_labels_come_first_and_their_share_has_a_confidence_sequence():
    """Nine rows of two hundred get another label; the worst ten unequal rows have these first."""
    table = pd.DataFrame({"age": np.arange(200), "city": ["Bern\n"] * 200})
    probabilities = np.column_stack([np.full(200, 0.75), np.full(200, 0.25)])
    others = probabilities.copy()
    others[10:20] += 0.2
    others[50:59] = (0.25, 0.75)
    others[100, 1] = np.nan
    served = SimpleNamespace(form={"method": "predict_proba"}, predict_proba=lambda rows: others[rows["age"]])
    with pytest.raises(NotTranslated) as refused:
        prove(lambda rows: probabilities[rows["age"]], served, {"training": table}, Tolerance(), "own")
    share = share_of_flips(9, 200)
    assert refused.value.message == (
        "the translated model answers 20 of 200 rows otherwise than the original (20 training); "
        f"labels flip in 9 ({share.low * 100:.2g} % to {share.high * 100:.2g} % of rows like these, at 95 %)"
    )
    assert refused.value.details.splitlines()[1:] == [
        "   #    origin  answer  original  translated  difference  label",
        *(f"  {n:2}  training       0      0.75        0.25         0.5  flips" for n in range(1, 10)),
        "  10  training       1      0.25         nan         inf",
        "",
        "   #  age   city",
        *(f"  {n:2}  {59 - n:3}  Bern�" for n in range(1, 10)),
        "  10  100  Bern�",
    ]


def test_labels_of_texts_are_compared_as_flips():
    table = np.arange(6.0).reshape(-1, 1)
    served = SimpleNamespace(form={"method": "predict"}, predict=lambda rows: np.array(["yes"] * len(rows)))
    with pytest.raises(NotTranslated, match="labels flip in 1 ") as refused:
        prove(lambda rows: np.where(rows[:, 0] == 4, "no", "yes"), served, {"random": table}, Tolerance(), "own")
    words = " ".join(refused.value.details.split())
    assert words == "# origin original translated label 1 random no yes flips # 0 1 4.0"


class Near:
    """A model of one feature whose translation differs by 0.004 from 100 on, and by the flips of ``flipped``."""

    table = np.arange(200.0).reshape(-1, 1)

    def __init__(self, *flipped):
        self.flipped = list(flipped)

    def original(self, rows):
        return np.column_stack([np.full(len(rows), 0.502), np.full(len(rows), 0.498)])

    def translated(self):
        return SimpleNamespace(form={"method": "predict_proba"}, predict_proba=self.answer)

    def answer(self, rows):
        answers = self.original(rows)
        answers[rows[:, 0] >= 100] += (0.004, -0.004)
        answers[np.isin(rows[:, 0], self.flipped)] = (0.4985, 0.5015)
        return answers

    def proof(self, accepted):
        return prove(self.original, self.translated(), {"training": self.table}, Tolerance(), "own", accepted=accepted)


def test_differences_of_numbers_can_be_accepted_and_the_refusal_says_how():
    with pytest.raises(NotTranslated, match="100 of 200 rows otherwise") as refused:
        Near().proof(0.0)
    assert "the largest is 0.004: --accepted-difference 0.0041" in refused.value.remedy
    with pytest.raises(NotTranslated, match="100 of 200 rows"):
        Near().proof(0.0039)
    proof = Near().proof(0.0041)
    assert (proof.accepted_difference, proof.flips) == (0.0041, 0)
    assert proof.largest_difference == pytest.approx(0.004)
    assert proof.words == "onnx, within 0.0041, as accepted, on 200 rows (largest difference 0.004)"


def test_what_is_equal_has_no_accepted_difference():
    assert prove(
        Near().original, SimpleNamespace(form={"method": "predict_proba"}, predict_proba=Near().original),
        {"training": Near.table}, Tolerance(), "own", accepted=0.1,
    ).accepted_difference == 0.0  # fmt: skip


def test_a_flip_is_not_accepted_however_near_its_numbers_are():
    with pytest.raises(NotTranslated, match=r"answers 1 of 200 rows .*; labels flip in 1 ") as refused:
        Near(7).proof(0.1)
    assert "--accepted-difference" not in refused.value.remedy


def test_a_missing_or_infinite_answer_is_not_accepted():
    expected = np.array([1.0, np.inf, np.nan, np.inf])
    assert compared(expected, np.array([np.nan, 1.0, 1.0, np.inf]), Tolerance(), 1e9).wrong.tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_an_accepted_difference_holds_for_the_replay_and_is_another_snapshot(tmp_path):
    """Linear discriminants of collinear columns are translated with differences of probabilities."""
    model = LinearDiscriminantAnalysis().fit(X, Y)
    given = replace(live(model, X[:5], "predict_proba"), engine="onnx", training=X)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with pytest.raises(NotTranslated, match="otherwise than the original") as refused:
        capturer.stage(given, "tumour")
    named = float(refused.value.remedy.rpartition(" ")[2])
    first, second = (
        kept(capturer, replace(given, accepted_difference=accepted), "tumour") for accepted in (named, 2 * named)
    )
    assert first.manifest.translation.accepted_difference == named
    assert named / 1.2 < first.manifest.translation.largest_difference <= named
    assert first.tag != second.tag, "another promise is another release"
    document = first.manifest.model_dump()
    answers = [[value + named / 2 for value in row] for row in document["predictions"]]
    assert faults(document, answers) == []
    assert faults(document | {"translation": None}, answers)


@pytest.mark.usefixtures("forests_rounded_to_nearest")
def test_a_refusal_names_no_value_of_a_redacted_column(tmp_path):
    frame = pd.DataFrame(X, columns=[f"x{number}" for number in range(X.shape[1])])
    model = RandomForestClassifier(30, random_state=0).fit(frame, Y)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    given = replace(live(model, frame[:5], "predict_proba"), engine="onnx", training=frame, redact=("x0", "gone"))
    with pytest.raises(NotTranslated) as refused:
        capturer.stage(given, "tumour")
    words = refused.value.details.split()
    assert "x1" in words
    assert "x0" not in words
    assert refused.value.details.endswith("\nredacted columns are left out")


def test_rows_of_an_array_are_not_shown_if_columns_are_redacted():
    row = UnequalRow("random", {0: 41.5}, 0.5, 0.25, None, 0.25, flip=False)
    assert "41.5" in table_of([row])
    assert "41.5" not in table_of([row], ["age"])


@pytest.mark.parametrize("raises", ["original", "translation"])
def test_the_words_of_an_error_are_details_and_hidden_where_columns_are_redacted(raises):
    """A note of the snapshot has the message; the words may quote a value of the training table."""
    table = pd.DataFrame({"age": [41.5]})

    def predict(rows):
        raise ValueError(f"{rows['age'].iloc[0]} is unknown")

    models = {"original": lambda rows: np.zeros(len(rows)), "translation": lambda rows: np.zeros(len(rows))}
    models[raises] = predict
    served = SimpleNamespace(form={"method": "predict"}, predict=models["translation"])
    for redact in ((), ("age",)):
        with pytest.raises(NotTranslated, match=r"training rows.*: ValueError") as refused:
            prove(models["original"], served, {"training": table}, Tolerance(), "own", redact=redact)
        shown = "".join(traceback.format_exception(refused.value)) + refused.value.details
        assert "41.5" not in refused.value.message
        assert ("41.5 is unknown" in shown) == (not redact)


@pytest.mark.usefixtures("forests_rounded_to_nearest")
def test_auto_notes_how_many_rows_differ_and_no_row_in_the_snapshot(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    model = RandomForestClassifier(30, random_state=0).fit(X, Y)
    given = replace(live(model, X[:5], "predict_proba"), engine="auto", training=X)
    staged = capturer.stage(given, "tumour")
    try:
        (note,) = (note for note in staged.manifest.notes if "natively" in note)
        assert re.fullmatch(r"it is served natively: .* rows otherwise than the original \(.*at 95 %\)", note)
    finally:
        capturer.discard(staged)


def test_an_infinite_answer_equals_the_same_one_alone():
    expected, found = np.array([np.inf, np.inf, -np.inf, 1.0]), np.array([np.inf, 5.0, np.inf, np.inf])
    made = compared(expected, found, Tolerance())
    assert made.wrong.tolist() == [False, True, True, True]
    assert made.largest_relative == 0
