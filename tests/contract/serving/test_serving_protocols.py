"""Each protocol's responses, model by model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from protocol_models import FRAME, MODELS, ask, front_of

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.serving import Front, snapshot
from jupyter_deploy.serving.asgi.bare_app import bare_app

ROWS = json.loads(FRAME.to_json(orient="records"))


@pytest.fixture(scope="module")
def fronts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: front_of(folder, name) for name in MODELS}


def tensor(name, datatype, data, shape=None, **more):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data, **more}


COLUMNS = [
    tensor("age", "INT64", [30, 40]),
    tensor("weight", "FP64", [60.5, 70.0]),
    tensor("sex", "BYTES", ["F", "M"]),
    tensor("member", "BOOL", [True, False]),
]

INFER = {
    "frame": (COLUMNS, [("output-0", "FP64", [2], [1816.0, 2800.0])]),
    "both": (COLUMNS, [("score", "FP64", [2], [1816.0, 2800.0]), ("label", "BYTES", [2], ["a", "b"])]),
    "array": (
        [tensor("input-0", "FP32", [1, 2, 3, 4.5], [2, 2])],
        [("output-0", "FP32", [2, 3], [[2.0, 4.0, 1.0], [6.0, 9.0, 3.0]])],
    ),
    "tensor": ([tensor("any name", "FP32", [[1, 2], [3, 4.5]], [2, 2])],
               [("output-0", "FP32", [2, 2], [[1.0, 2.0], [3.0, 4.5]])]),
    "list": ([tensor("input-0", "BYTES", ["a", "b"])], [("output-0", "BYTES", [2], ["A", "B"])]),
    "nested": (
        [tensor("words", "BYTES", ['["x"]'])],
        [("output-0", "BYTES", [1], ['{"count": 1, "words": ["x"]}'])],
    ),
    "call": (
        [tensor("left", "FP64", [1, 2], [2, 1]), tensor("right", "FP64", [3, 4.5])],
        [("output-0", "FP64", [2], [4.0, 6.5])],
    ),
    "counted": ([tensor("upto", "INT64", [1, 0])], [("output-0", "BYTES", [2], ['[{"number": 0}]', "[]"])]),
}  # fmt: skip


@pytest.mark.parametrize("name", INFER)
def test_v2_uses_the_tensors_of_its_metadata(fronts, name):
    inputs, outputs = INFER[name]
    about = ask(fronts[name], "GET", f"/v2/models/{name}").json()
    response = ask(fronts[name], "POST", f"/v2/models/{name}/infer", json={"id": "7", "inputs": inputs})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (name, "v1", "7")
    assert [tuple(output.values()) for output in answer["outputs"]] == outputs
    if name != "tensor":
        assert [one["name"] for one in about["inputs"]] == [one["name"] for one in inputs]
    if name != "array":  # the helper of these tests captures no fixed lengths and no types of answers
        assert [one["name"] for one in about["outputs"]] == [one[0] for one in outputs]
    assert about["versions"] == ["v1"]
    assert ask(fronts[name], "GET", f"/v2/models/{name}/versions/v1").json() == about


def test_selected_outputs_are_sent_alone_and_as_bytes_if_requested(fronts):
    wanted = [{"name": "label", "parameters": {"binary_data": True}}]
    response = ask(fronts["both"], "POST", "/v2/models/both/infer", json={"inputs": COLUMNS, "outputs": wanted})
    length = int(response.headers["inference-header-content-length"])
    document, rest = json.loads(response.content[:length]), response.content[length:]
    assert [output["name"] for output in document["outputs"]] == ["label"]
    assert document["outputs"][0]["parameters"] == {"binary_data_size": len(rest)}
    assert rest == b"\x01\0\0\0a\x01\0\0\0b"


@pytest.mark.parametrize(
    ("datatype", "content"),
    [
        ("FP16", np.array([[1, 2]], "<f2").tobytes()),
        ("BF16", (np.array([1, 2], "<f4").view("<u4") >> 16).astype("<u2").tobytes()),
        ("FP64", np.array([[1, 2]], "<f8").tobytes()),
        ("UINT8", b"\x01\x02"),
        ("INT16", np.array([1, 2], "<i2").tobytes()),
    ],
)
def test_numbers_of_each_datatype_may_be_bytes(fronts, datatype, content):
    header = {"name": "input-0", "datatype": datatype, "shape": [1, 2]}
    response = infer_bytes(fronts["array"], "array", [header], [content])
    assert response.json()["outputs"][0]["data"] == [[2.0, 4.0, 1.0]], response.text


def infer_bytes(front, name, headers, contents, claimed=None):
    inputs = [
        header | {"parameters": {"binary_data_size": len(content)}}
        for header, content in zip(headers, contents, strict=True)
    ]
    document = json.dumps({"inputs": inputs}).encode()
    told = {"inference-header-content-length": str(len(document)) if claimed is None else claimed}
    return ask(front, "POST", f"/v2/models/{name}/infer", content=document + b"".join(contents), headers=told)


X = {"name": "input-0", "datatype": "FP32", "shape": [1, 2]}


@pytest.mark.parametrize(
    ("header", "content", "claimed", "words"),
    [
        (X, b"1234567", None, "has 7 bytes, but its shape has 8"),
        (X | {"shape": [2**62, 2**62]}, b"", None, "has 0 bytes, but its shape has"),
        (X | {"shape": [2**64, 1]}, b"", None, "must have a shape"),
        (X | {"shape": [-1, 2]}, b"", None, "must have a shape"),
        (X | {"shape": [10**12, 0]}, b"", None, "rows without elements"),
        (X | {"shape": [0, 2**62]}, b"", None, "is too large"),
        (X | {"shape": [0, 2**31, 2**31]}, b"", None, "is too large"),
        (X | {"datatype": "BYTES"}, b"\xff\xff\xff\xff", None, "ends within an element"),
        (X | {"datatype": "BYTES"}, b"\x01\0", None, "ends within the length"),
        (X | {"datatype": "BYTES"}, b"\x01\0\0\0\xff", None, "not UTF-8"),
        (X | {"datatype": "FP128"}, b"", None, "unknown datatype"),
        (X, b"12345678", "7", "not JSON"),
        (X, b"12345678", "100000", "inference-header-content-length says"),
        (X, b"12345678", "x", "inference-header-content-length says"),
    ],
)
def test_bytes_that_contradict_their_header_get_a_400(fronts, header, content, claimed, words):
    response = infer_bytes(fronts["array"], "array", [header], [content], claimed)
    assert response.status_code == 400
    assert words in response.json()["error"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_infinite_numbers_are_named_by_row(fronts):
    content = np.array([[1, 2], [3, np.inf]], "<f4").tobytes()
    response = infer_bytes(fronts["array"], "array", [X | {"shape": [2, 2]}], [content])
    assert response.status_code == 422
    assert response.json()["error"].startswith("the instances do not fit the model: instances.1")


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ({}, 400, "must be an object such as"),
        ([], 400, "must be an object such as"),
        ({"inputs": []}, 400, "has no inputs; the model takes age, weight, sex, member"),
        ({"inputs": [7]}, 400, "inputs.0"),
        ({"inputs": [*COLUMNS, COLUMNS[0]]}, 400, "is repeated"),
        ({"inputs": [*COLUMNS, tensor("size", "FP64", [1, 2])]}, 400, "unknown input 'size'"),
        ({"inputs": [*COLUMNS[:3], tensor("member", "BOOL", [True])]}, 400, "same number of rows"),
        ({"inputs": [*COLUMNS[:3], tensor("member", "BOOL", [True] * 4, [2, 2])]}, 400, "the shape [2] or [2, 1]"),
        ({"inputs": [*COLUMNS[:3], tensor("member", "BOOL", [True], [2])]}, 400, "has 1 elements"),
        ({"inputs": COLUMNS[:3]}, 422, "missing feature 'member'"),
        ({"inputs": [tensor("age", "INT64", [30, "x"]), *COLUMNS[1:]]}, 422, "instances.1.age: must be a whole number"),
        (
            {"inputs": COLUMNS, "outputs": [{"name": "what"}]},
            400,
            "selects the unknown output 'what'; the outputs are output-0",
        ),
        ({"inputs": COLUMNS, "id": 7}, 400, "must have a text as its id"),
        ({"inputs": COLUMNS, "parameters": 7}, 400, "object of parameters"),
        ({"inputs": [COLUMNS[0] | {"parameters": {"shared_memory_region": "x"}}]}, 400, "shared memory"),
    ],
)
def test_invalid_v2_requests_get_an_error_in_v2s_form(fronts, document, status, words):
    response = ask(fronts["frame"], "POST", "/v2/models/frame/infer", json=document, headers={"x-request-id": "mine"})
    assert response.status_code == status
    assert words in response.json()["error"]
    assert response.json()["request_id"] == "mine"


def test_other_names_versions_and_paths_get_a_404_with_the_right_one(fronts):
    for method, path, words in (
        ("GET", "/v2/models/other", "there is no model 'other' here: this is 'frame', at /v2/models/frame"),
        ("POST", "/v2/models/other/infer", "this is 'frame'"),
        ("POST", "/v1/models/other:predict", "this is 'frame', at /v1/models/frame"),
        ("GET", "/v1/models/other", "this is 'frame'"),
        ("GET", "/v2/models/frame/versions/v2/ready", "another version here: 'v1'"),
        ("GET", "/v2/what", "nothing at this path"),
    ):
        response = ask(fronts["frame"], method, path)
        assert (response.status_code, words in response.json()["error"]) == (404, True), response.text
    assert ask(fronts["frame"], "GET", "/v2/models/frame/infer").headers["allow"] == "POST"
    assert ask(fronts["frame"], "POST", "/v2/models/frame").headers["allow"] == "GET, HEAD"
    assert "without the slash" in ask(fronts["frame"], "POST", "/invocations/").json()["detail"]


def test_the_endpoints_name_and_the_snapshots_name_both_work(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_ENDPOINT", "my-churn")
    front = front_of(tmp_path, "frame")
    for name in ("my-churn", "frame"):
        assert ask(front, "GET", f"/v1/models/{name}").json() == {"name": name, "ready": True}
        answer = ask(front, "POST", f"/v2/models/{name}/infer", json={"inputs": COLUMNS}).json()
        assert answer["model_name"] == "my-churn"
    assert ask(front, "GET", "/v1/models").json() == {"models": ["my-churn"]}


def test_before_the_model_is_loaded_the_health_pages_are_alive_and_not_ready(monkeypatch):
    monkeypatch.setattr(snapshot, "_current", None)
    front = Front(bare_app)
    assert ask(front, "GET", "/v2/health/live").status_code == 200
    for method, path in (
        ("GET", "/v2/health/ready"), ("GET", "/ping"), ("POST", "/invocations"),
        ("POST", "/v1/models/x:predict"), ("GET", "/v2/models/x"),
    ):  # fmt: skip
        assert ask(front, method, path).status_code == 503


INVOCATIONS = [
    {"dataframe_split": {"columns": list(FRAME), "index": [5, 6], "data": FRAME.values.tolist()}},
    {"dataframe_records": ROWS},
    {"instances": ROWS},
    {"inputs": FRAME.to_dict("list"), "params": {}},
]


@pytest.mark.parametrize("document", INVOCATIONS, ids=[next(iter(document)) for document in INVOCATIONS])
def test_mlflows_forms_of_a_frame_are_equivalent(fronts, document):
    response = ask(fronts["frame"], "POST", "/invocations", json=document)
    assert response.json() == {"predictions": [1816.0, 2800.0]}


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("array", {"inputs": [[1, 2]]}, [[2.0, 4.0, 1.0]]),
        ("array", {"inputs": {"x": [[1, 2]]}}, [[2.0, 4.0, 1.0]]),
        ("array", {"dataframe_split": {"data": [[1, 2]]}}, [[2.0, 4.0, 1.0]]),
        ("array", {"dataframe_records": [{"b": 1, "a": 2}]}, [[2.0, 4.0, 1.0]]),
        ("list", {"inputs": "a"}, ["A"]),
        ("list", {"inputs": ["a", "b"]}, ["A", "B"]),
        ("list", {"dataframe_split": {"columns": ["text"], "data": [["a"]]}}, ["A"]),
        ("call", {"inputs": {"left": [1], "right": [2]}}, [3.0]),
        ("counted", {"dataframe_records": [{"upto": 1}]}, [[{"number": 0}]]),
    ],
)
def test_mlflows_forms_fit_other_models_too(fronts, name, document, expected):
    response = ask(fronts[name], "POST", "/invocations", json=document)
    assert response.json() == {"predictions": expected}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "exactly one of the keys"),
        ({"instances": [], "inputs": []}, "exactly one of the keys"),
        ({"instances": ROWS, "params": {"alpha": 1}}, "params: unknown key 'params': this model takes none"),
        ({"instances": ROWS, "more": 1}, "more: unknown key"),
        ({"dataframe_split": {"data": [[1]]}}, "dataframe_split.columns: missing"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, "dataframe_split.data.1: must be a list"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": []}}, "'age' is repeated"),
        ({"dataframe_records": 7}, "dataframe_records: must be a list"),
        ({"inputs": {"age": [1], "sex": []}}, "inputs.sex: must have 1 values"),
        ({"dataframe_records": [ROWS[0], ROWS[1] | {"age": "old"}]}, "instances.1.age: must be a whole number"),
    ],
)
def test_other_forms_get_a_422_with_the_location(fronts, document, words):
    response = ask(fronts["frame"], "POST", "/invocations", json=document)
    assert response.status_code == 422
    assert words in response.json()["detail"]


CSV = "age,weight,sex,member\n30,60.5,F,true\n40,7e1,M,False\n"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/csv", CSV),
        ("text/csv; charset=utf-8", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("text/csv", 'sex,"member",weight,age\nF,TRUE,60.5, 30\n\n"M",false,70,40'),
        ("text/csv; header=absent", CSV.partition("\n")[2]),
    ],
)
def test_the_signatures_types_decide_how_csv_is_read(fronts, kind, text):
    response = ask(fronts["frame"], "POST", "/invocations", content=text, headers={"content-type": kind})
    assert response.json() == {"predictions": [1816.0, 2800.0]}


def test_the_single_type_of_arrays_and_texts_decides_how_csv_is_read(fronts):
    headers = {"content-type": "text/csv"}
    numbers = ask(fronts["array"], "POST", "/invocations", content="a,b\n1,2\n", headers=headers)
    assert numbers.json() == {"predictions": [[2.0, 4.0, 1.0]]}
    texts = ask(fronts["list"], "POST", "/invocations", content="text\n007\n", headers=headers)
    assert texts.json() == {"predictions": ["007"]}


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (CSV.replace("40", "old"), 422, 'instances.1.age: must be a whole number, not the string "old"'),
        (CSV.replace("7e1", "nan"), 422, "instances.1.weight: must be a number"),
        (CSV.replace("40", "4_0"), 422, "instances.1.age"),
        (CSV.replace("40", ""), 422, "instances.1.age"),
        ("age,weight\n1,2,3\n", 422, "instances.0: must have 2 values"),
        ("age,sex\n1,2\n", 422, "missing feature 'weight'"),
        (b"\xff\xfe", 400, "not UTF-8"),
        ('age\n"1', 400, "not CSV"),
        ("age\n" + "1" * 200_000, 400, "not CSV"),
    ],
)
def test_invalid_csv_gets_an_error_with_the_location(fronts, text, status, words):
    response = ask(fronts["frame"], "POST", "/invocations", content=text, headers={"content-type": "text/csv"})
    assert response.status_code == status
    assert words in response.json()["detail"]


def test_a_foreign_web_page_cannot_call_the_model_with_a_body_without_a_type(fronts):
    """Triton's client sends no type; a browser sends its page's origin."""
    content = json.dumps({"inputs": COLUMNS})
    assert ask(fronts["frame"], "POST", "/v2/models/frame/infer", content=content).status_code == 200
    for headers in ({"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"content-type": "text/plain"}):
        response = ask(fronts["frame"], "POST", "/v2/models/frame/infer", content=content, headers=headers)
        assert response.status_code == 415, headers
    for path in ("/invocations", "/v1/models/frame:predict", "/predict"):
        assert ask(fronts["frame"], "POST", path, content=content).status_code == 415


def test_each_protocol_leaves_the_same_record(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "records"))
    front = front_of(tmp_path, "frame")
    ask(front, "POST", "/predict", json={"instances": ROWS})
    ask(front, "POST", "/v2/models/frame/infer", json={"inputs": COLUMNS})
    ask(front, "POST", "/invocations", content=CSV, headers={"content-type": "text/csv"})
    ask(front, "POST", "/v2/models/frame/infer", json={"inputs": COLUMNS[:1]})
    lines = [line for file in (tmp_path / "records").glob("*.jsonl") for line in file.read_text().splitlines()]
    *right, wrong = [Record.model_validate_json(line) for line in lines]
    assert {(one.status, one.rows) for one in right} == {(200, 2)}
    assert all(one.inputs == ROWS and one.outputs == [1816.0, 2800.0] for one in right)
    assert (wrong.status, wrong.inputs) == (422, [{"age": 30}, {"age": 40}])
    front._close()
