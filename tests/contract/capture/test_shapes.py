"""Requests restore values of every type, and errors describe the expected type."""

from __future__ import annotations

import datetime as dt
import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput
from jupyter_deploy.serving.asgi.openapi import openapi
from jupyter_deploy.serving.snapshot import load
from jupyter_deploy.serving.values.arrays import ConversionError, to_array
from jupyter_deploy.serving.values.codec import Codec, InvalidInstances, encode
from jupyter_deploy.targets.local.http_client import HttpClient
from tests.contract import shapes
from tests.contract.capturing import capture

pytestmark = pytest.mark.usefixtures("forked_replays")


def seen(model, example, own=None):
    return inspect_model(model, example, None, own)


def codec_of(inspected):
    """The service's decoder, from the snapshot's files."""
    prototype = pickle.loads(pickle.dumps(inspected.prototype))
    return Codec(json.loads(inspected.signature.model_dump_json()), prototype)


def back(inspected, instances=None):
    return codec_of(inspected).decode(json.loads(json.dumps(instances or inspected.instances)))


def refusal(inspected, instance):
    with pytest.raises(InvalidInstances) as caught:
        codec_of(inspected).decode([instance])
    return caught.value.errors[0]


@pytest.mark.parametrize("name", shapes.VALUES)
def test_a_value_comes_back_from_its_json_as_what_it_was(name):
    value = shapes.VALUES[name]
    inspected = seen(shapes.any_value, value)
    (arguments,) = back(inspected)
    assert shapes.told(arguments["value"]) == shapes.told(value)


@pytest.mark.parametrize(
    "frame", [shapes.POLARS, shapes.POLARS.lazy(), shapes.PANDAS], ids=["polars", "lazy", "pandas"]
)
def test_a_table_comes_back_column_by_column(frame):
    inspected = seen(shapes.rows, frame)
    assert inspected.signature.container == "frame"
    decoded = back(inspected)
    assert type(decoded) is type(frame)
    if isinstance(frame, pd.DataFrame):
        pd.testing.assert_frame_equal(decoded, frame)
    assert shapes.told(decoded) == shapes.told(frame)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", 300, "must be a whole number from -128 to 127, not 300"),
        ("n", "1", 'must be a whole number from -128 to 127, not the string "1"'),
        ("enum", "z", 'must be one of "x", "y", not the string "z"'),
        ("day", "yesterday", 'must be a date such as "2026-11-25", not the string "yesterday"'),
        ("zone", "2026-01-01T00:00:00", 'needs its offset from UTC, such as "2026-11-25T12:00:00+00:00"'),
        ("raw", "&", "must be base64"),
    ],
)
def test_a_value_that_does_not_fit_a_polars_column_is_named(name, value, message):
    inspected = seen(shapes.rows, shapes.POLARS)
    error = refusal(inspected, inspected.instances[0] | {name: value})
    assert error == {"loc": ["instances", 0, name], "msg": message}


def test_observed_values_are_shown_and_not_required():
    frame = pd.DataFrame(
        {"age": [3, 90], "name": ["al", "barbara"], "at": pd.to_datetime(["2026-01-01", "2026-03-01"])}
    )
    inspected = seen(shapes.rows, frame)
    told = {name: column["x-seen"] for name, column in inspected.signature.instance_schema["properties"].items()}
    assert told == {
        "age": {"count": 2, "minimum": 3, "maximum": 90},
        "name": {"count": 2, "minLength": 2, "maxLength": 7, "distinct": 2},
        "at": {"count": 2, "minimum": "2026-01-01T00:00:00", "maximum": "2026-03-01T00:00:00"},
    }
    back(inspected, [{"age": -5, "name": "", "at": "1999-01-01"}])


def test_a_column_of_dates_and_numbers_is_refused_by_its_name_and_one_of_numbers_and_texts_is_not():
    mixed = pd.DataFrame({"a": [1, 2], "when": pd.Series([dt.date(2026, 1, 1), 5], dtype=object)})
    with pytest.raises(InvalidExample, match="values of several kinds in the column 'when': dates and plain values"):
        seen(shapes.rows, mixed)
    union = seen(shapes.rows, pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}))
    assert union.signature.instance_schema["properties"]["a"]["type"] == ["integer", "string"]


def test_a_value_within_itself_is_refused_in_words():
    ring = [1]
    ring.append(ring)
    with pytest.raises(InvalidExample, match="contains itself, or is nested too deep"):
        seen(shapes.any_value, ring)
    with pytest.raises(InvalidExample, match="contains itself, or is nested too deep"):
        seen(lambda value: ring, 5)


def test_an_example_of_one_row_is_a_finding():
    (note,) = seen(shapes.rows, pd.DataFrame({"a": [1]})).notes
    assert "one row" in note


@pytest.mark.parametrize("kind", ["pandas", "polars", "array", "tensor", "list"])
def test_a_million_rows_are_sampled_and_a_note_says_so(kind):
    count = 1_000_000
    numbers = np.linspace(0, 1, count)
    numbers[777_777] = np.nan
    numbers[1_234] = -50.0
    frame = pd.DataFrame({"x": numbers, "group": np.where(np.arange(count) == 654_321, "rare", "usual")})
    example, model = {
        "pandas": lambda: (frame, lambda f: f["x"].isna()),
        "polars": lambda: (pl.from_pandas(frame, nan_to_null=True), lambda f: f["x"].is_null()),
        "array": lambda: (numbers.reshape(-1, 1), lambda a: np.isnan(a[:, 0])),
        "tensor": lambda: (__import__("torch").zeros(count, 2), lambda t: t.sum(dim=1)),
        "list": lambda: (["spam"] * count, Texts()),
    }[kind]()
    inspected = seen(model, example)
    assert len(inspected.instances) <= 1000
    assert len(pickle.dumps(inspected.example)) < 200_000
    assert "1,000,000 rows" in inspected.notes[-1]
    assert seen(model, example).instances == inspected.instances
    if kind in ("pandas", "polars"):
        columns = inspected.signature.instance_schema["properties"]
        assert "null" in columns["x"]["type"]
        assert columns["x"]["x-seen"]["minimum"] == -50.0
        assert columns["group"]["x-seen"]["distinct"] == 2
    if kind == "array":
        assert inspected.predictions.count(True) == 1


class Texts:
    def fit(self):
        """An estimator takes rows."""

    def predict(self, texts):
        return [len(text) for text in texts]


def test_a_slice_of_a_tensor_is_kept_without_the_rest():
    import torch

    inspected = seen(lambda t: t.sum(dim=1), torch.zeros(100_000, 3)[:2])
    assert len(pickle.dumps((inspected.example, inspected.prototype))) < 10_000


def test_a_pydantic_model_reads_its_own_instances():
    inspected = seen(shapes.person, shapes.Person(age=3, at=shapes.Address(town="Bern")))
    (arguments,) = back(inspected, [{"age": 4, "at": {"town": "Thun", "since": "2020-01-01"}}])
    assert arguments["p"] == shapes.Person(age=4, at=shapes.Address(town="Thun", since=dt.date(2020, 1, 1)))
    assert refusal(inspected, {"age": 130, "at": {"town": "Thun"}}) == {
        "loc": ["instances", 0, "age"],
        "msg": "must be a whole number from 0 to 120, not 130",
    }
    assert refusal(inspected, {"age": 3, "at": {"town": "B"}})["msg"] == (
        'must be a string of at least 2 characters, not the string "B"'
    )
    assert refusal(inspected, {"age": 3})["msg"] == "missing parameter 'at'"


def test_annotations_say_more_than_the_example():
    inspected = seen(shapes.rated, {"grade": "a", "weight": 1})
    properties = inspected.signature.instance_schema["properties"]
    assert inspected.signature.instance_schema["required"] == ["grade", "weight"]
    assert properties["grade"]["enum"] == ["a", "b"]
    assert properties["weight"]["exclusiveMinimum"] == 0
    (arguments,) = back(inspected, [{"grade": "b", "weight": 2, "day": "2026-01-01"}])
    assert arguments == {"grade": "b", "weight": 2.0, "day": dt.date(2026, 1, 1)}
    assert refusal(inspected, {"grade": "a", "weight": 0})["msg"] == "must be a number above 0, not 0"
    assert refusal(inspected, {"grade": "c", "weight": 1})["msg"].startswith('must be one of "a", "b"')


def test_many_of_an_annotated_kind_come_back_as_such():
    inspected = seen(shapes.people, [shapes.Person(age=3, at=shapes.Address(town="Bern"))])
    (arguments,) = back(inspected, [[{"age": 3, "at": {"town": "Bern"}}, {"age": 9, "at": {"town": "Thun"}}]])
    assert [type(p).__name__ for p in arguments["ps"]] == ["Person", "Person"]
    typed = seen(shapes.configured, {"depth": 1, "name": "x"})
    assert refusal(typed, {"depth": "1", "name": "x"})["loc"] == ["instances", 0, "depth"]


def test_a_tree_within_a_tree_is_read_to_any_depth():
    inspected = seen(shapes.depth, shapes.Tree(value=1, children=[shapes.Tree(value=2)]))
    leaf = {"value": 1}
    (arguments,) = back(inspected, [{"value": 1, "children": [{"value": 2, "children": [leaf]}]}])
    assert shapes.depth(arguments["t"]) == 3
    error = refusal(inspected, {"value": 1, "children": [{"value": "x"}]})
    assert error["loc"] == ["instances", 0, "children", 0, "value"]
    assert inspected.signature.mismatches(inspected.signature) == []


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"grade": "z", "weight": 1}, r"'grade' is annotated as Literal\['a', 'b'\], but the example's must be one of"),
        ({"grade": "a", "weight": -1}, "'weight' is annotated as .*must be a number above 0, not -1"),
    ],
)
def test_an_example_that_is_not_what_the_annotation_says_is_refused_with_both(example, words):
    with pytest.raises(InvalidExample, match=words):
        seen(shapes.rated, example)


def test_an_image_comes_in_any_format_and_mode_and_answers_as_png():
    import base64
    import io

    from PIL import Image

    inspected = seen(shapes.inverted, shapes.IMAGE)
    schema = inspected.signature.instance_schema
    assert (schema["contentEncoding"], schema["contentMediaType"]) == ("base64", "image/*")
    grey = io.BytesIO()
    shapes.IMAGE.convert("L").save(grey, "JPEG")
    (arguments,) = back(inspected, [base64.b64encode(grey.getvalue()).decode()])
    assert arguments["image"].mode == "RGB"
    answer = Image.open(io.BytesIO(base64.b64decode(inspected.predictions[0])))
    assert answer.tobytes() == shapes.inverted(shapes.IMAGE).tobytes()
    assert refusal(inspected, "AAAA")["msg"] == "must be an image, such as a PNG or JPEG file in base64"
    assert refusal(inspected, "not base64")["msg"] == "must be base64"


@pytest.mark.parametrize("most", [2, 5])  # Pillow only warns up to twice as many
def test_an_image_of_too_many_pixels_is_refused(monkeypatch, most):
    from PIL import Image

    inspected = seen(shapes.inverted, shapes.IMAGE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    assert refusal(inspected, inspected.instances[0])["msg"] == f"is an image of more than {most} pixels"


def test_a_request_that_no_shell_would_take_is_named_instead_of_shown():
    client = HttpClient()
    short, long = (client.command("http://h/e/predict", {"instances": ["x" * size]}) for size in (10, 10**6))
    assert short.endswith("""-d '{"instances": ["xxxxxxxxxx"]}'""")
    assert long.endswith("-d @request.json  # such as the example in http://h/e/openapi.json")


FRAME = pd.DataFrame({"age": [3, 4], "name": ["a", "b"]})


def own(**fields):
    from pydantic import create_model

    return create_model("Row", **fields)


def test_an_own_signature_takes_the_place_of_the_examples():
    from pydantic import Field

    row = own(age=(int, Field(ge=0, le=120, description="In years.")), name=(str | None, "nobody"))
    inspected = seen(shapes.rows, FRAME.astype({"name": object}), row)
    schema = inspected.signature.instance_schema
    assert schema["required"] == ["age"]
    assert schema["properties"]["age"]["description"] == "In years."
    decoded = back(inspected, [{"age": 5}, {"age": 6, "name": None}])
    assert decoded["name"].tolist()[0] == "nobody"
    assert decoded["name"].isna().tolist() == [False, True]
    assert refusal(inspected, {"age": 121})["msg"] == "must be a whole number from 0 to 120, not 121"
    assert refusal(inspected, {"age": 1, "nam": "x"})["msg"] == "unknown feature 'nam'"


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"age": (int, ...)}, InvalidInput, "it lacks 'name'"),
        ({"age": (int, ...), "name": (str, ...), "size": (int, ...)}, InvalidInput, "it has 'size'"),
        (
            {"age": (str, ...), "name": (str, ...)},
            InvalidExample,
            "match the signature(.|\n)*age: must be a string",
        ),
        ({"age": (int | None, ...), "name": (str, ...)}, InvalidInput, "allows a missing 'age'"),
    ],
)
def test_an_own_signature_that_is_not_the_examples_is_refused(fields, error, words):
    with pytest.raises(error, match=words):
        seen(shapes.rows, FRAME, own(**fields))


def test_what_no_schema_can_be_made_of_is_no_signature():
    with pytest.raises(InvalidInput, match="cannot be checked"):
        seen(shapes.rows, FRAME, object())


def test_an_own_signature_holds_for_the_parameters_of_a_function():
    def area(width, height=1.0):
        return width * height

    from pydantic import Field

    inspected = seen(area, {"width": 2.0, "height": 3.0}, own(width=(float, Field(gt=0)), height=(float, 1.0)))
    assert back(inspected, [{"width": 2}]) == [{"width": 2.0}]
    assert refusal(inspected, {"width": 0})["msg"] == "must be a number above 0, not 0"


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("shapes") / "bentoml", Tolerance(), replay_timeout=120)


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (shapes.person, shapes.Person(age=3, at=shapes.Address(town="Bern"))),
        (shapes.any_value, shapes.VALUES["dataclass"]),
        (shapes.inverted, shapes.IMAGE),
        (shapes.rows, shapes.POLARS.lazy()),
        (shapes.rows, shapes.PANDAS),
    ],
    ids=["pydantic", "dataclass", "image", "polars", "pandas"],
)
def test_a_clean_process_brings_them_back_too_and_the_service_says_so_in_openapi(capturer, model, example):
    from openapi_spec_validator import validate

    snapshot = capture(capturer, model, example)
    assert capture(capturer, model, example).tag == snapshot.tag
    served = load(snapshot.path, snapshot.digest)
    validate(openapi(served, "shapes"))


def test_a_schema_that_names_itself_is_named_in_openapi(capturer):
    from openapi_spec_validator import validate

    snapshot = capture(capturer, shapes.depth, shapes.Tree(value=1, children=[shapes.Tree(value=2)]))
    document = openapi(load(snapshot.path, snapshot.digest), "shapes")
    validate(document)
    assert "Instance.Tree" in document["components"]["schemas"]


OF_A_CELL = """
from dataclasses import KW_ONLY, dataclass, field

@dataclass
class Visit:
    age: int
    _: KW_ONLY
    notes: list[str] = field(default_factory=list)
    town: str = "Bern"

def priced(visit: Visit) -> int:
    return visit.age * 2 + len(visit.notes)
"""


def test_a_function_with_a_dataclass_annotation_of_the_notebook_answers_in_a_clean_process(capturer):
    namespace = {"__name__": "__main__"}
    exec(compile(OF_A_CELL, "<cell>", "exec", dont_inherit=True), namespace)
    snapshot = capture(capturer, namespace["priced"], namespace["Visit"](30, notes=["a"]))
    assert snapshot.manifest.predictions == [61]


@pytest.mark.parametrize("kind", ["eager", "lazy"])
def test_a_table_of_polars_that_a_model_answers_is_its_rows(kind):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    answer = frame if kind == "eager" else frame.lazy()
    assert encode(answer, 2) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_a_value_without_a_json_form_is_an_error_with_its_path():
    with pytest.raises(InvalidExample, match=r"complex has no JSON form \(in its \['a'\]\[1\]\)"):
        inspect_model(lambda x: {"b": x, "a": [x, 1j]}, 3, None)


def test_rows_of_different_lengths_are_a_plain_error():
    with pytest.raises(ConversionError, match="lists of different lengths"):
        to_array([[1, 2], [3]], "int64")
