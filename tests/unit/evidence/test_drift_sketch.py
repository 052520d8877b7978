"""Sketches of a reference: the features of each kind of column, and what a sketch never holds."""

import base64
import random

import pytest

from jupyter_deploy.domain.drift.sketch import FeatureReader, sketch
from jupyter_deploy.domain.drift.watch import reference_of

DICE = random.Random(1)
ROWS = [
    {
        "age": DICE.gauss(45, 10),
        "plan": DICE.choice(["basic"] * 8 + ["pro"] * 2),
        "member": DICE.random() < 0.5,
        "joined": f"2026-{DICE.randint(1, 12):02}-{DICE.randint(1, 28):02}",
        "comment": " ".join(DICE.choices(["good", "bad", "slow", f"secret{at}"], k=6)),
        "income": None if DICE.random() < 0.1 else DICE.randint(1, 90),
        "pixels": [[DICE.random() for _ in range(4)] for _ in range(4)],
    }
    for at in range(400)
]


@pytest.fixture(scope="module")
def made():
    return reference_of({"inputs": ROWS, "answers": ["yes", "no"] * 200}, {"inputs": "a", "answers": "b"})


def feature(reference, name):
    return next(one for one in reference.features if one.name == name)


def test_each_column_has_the_features_of_its_kind(made):
    assert {name: column.kind for name, column in made.columns["inputs"].items()} == {
        "age": "number",
        "plan": "category",
        "member": "category",
        "joined": "date",
        "comment": "text",
        "income": "number",
        "pixels": "array",
    }
    assert {one.name for one in made.features if one.group == "inputs"} == {
        "age", "plan", "member", "joined · weekday", "joined · hour", "comment · length", "comment · known words",
        "income", "pixels · size", "pixels · mean",
    }  # fmt: skip
    assert [one.name for one in made.features if one.group == "answers"] == ["answer"]


def test_a_numbers_bins_are_tenths_and_have_ends(made):
    age = feature(made, "age")
    assert age.ordinary == 10
    assert all(0.09 < share < 0.11 for share in age.shares[:10])
    assert age.special == ("below", "above", "missing")
    assert [age.bin_of(value) for value in (-1e9, 1e9, None)] == [10, 11, 12]
    assert age.bin_of(age.low) == 0
    assert age.bin_of(age.high) == 9
    assert sum(age.shares) == pytest.approx(1)
    assert feature(made, "income").counts[-1] > 20


def test_a_categorys_bins_are_its_labels_other_and_new(made):
    plan = feature(made, "plan")
    assert plan.labels == ("basic", "pro")
    assert [plan.bin_of(value) for value in ("basic", "pro", "gold", None)] == [0, 1, 3, 4]
    assert plan.bin_names() == ["basic", "pro", "other", "new", "missing"]
    rare = sketch("inputs", [{"plan": "basic"}] * 50 + [{"plan": "rare"}])[1][0]
    assert rare.labels == ("basic",)
    assert rare.bin_of("rare") == 1


def test_the_same_rows_give_the_same_sketch_and_no_word_or_rare_label_is_in_it(made):
    again = reference_of({"inputs": ROWS, "answers": ["yes", "no"] * 200}, {"inputs": "a", "answers": "b"})
    assert again.model_dump_json() == made.model_dump_json()
    text = made.model_dump_json()
    assert "secret" not in text
    assert "good" not in text
    assert "rare" not in sketch("inputs", [{"plan": "basic"}] * 50 + [{"plan": "rare"}])[1][0].model_dump_json()
    assert len(text) < 20_000


def test_known_words_are_measured_on_rows_that_taught_none():
    texts = [f"order {at}" for at in range(200)]
    columns, (_, words) = sketch("inputs", texts)
    assert columns["input"].kind == "text"
    assert words.rows == 100
    assert words.high == 0.5  # the numbers are new in the second half too


def test_an_image_has_bytes_and_a_brightness():
    image = base64.b64encode(b"x" * 300).decode()
    columns, sketches = sketch("inputs", [image] * 10, images=["input"], image_mean=lambda _: 0.25)
    assert columns["input"].kind == "image"
    assert {one.name: one.low for one in sketches} == {"input · bytes": 300, "input · mean": 0.25}


def test_a_constant_and_an_empty_column_do_no_harm():
    columns, sketches = sketch("inputs", [{"one": 1, "none": None}] * 60)
    assert list(columns) == ["one"]
    (one,) = sketches
    assert (one.ordinary, one.top_share) == (1, 1.0)
    assert [one.bin_of(value) for value in (1, 0, 2)] == [0, 1, 2]


def test_a_row_that_lacks_a_column_or_has_another_type_is_read(made):
    reader = FeatureReader(made.columns)
    read = reader.read("inputs", {"age": "old", "plan": 3, "comment": 7})
    assert read["age"] is None
    assert read["income"] is None
    assert read["plan"] == "3"
    assert read["comment · length"] == 1.0
    assert set(reader.read("inputs", "a text")) == set(read)


def test_nested_objects_have_names_of_their_paths():
    columns, _ = sketch("inputs", [{"person": {"age": at, "name": {"first": "Ada"}}} for at in range(30)])
    assert set(columns) == {"person.age", "person.name.first"}
