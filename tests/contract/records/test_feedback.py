"""POST /feedback in a release, and files of feedback."""

from __future__ import annotations

import asyncio
import json
import stat

import httpx
import pandas as pd
import pytest
from prometheus_client import REGISTRY

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.ground_truth import Actual
from jupyter_deploy.records.feedback_files import read
from jupyter_deploy.serving import Front
from tests.contract.serving.test_serving_front import RELEASED, STARTED, ask, front, inner, model, problem, records

__all__ = ["front", "model", "records"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "feedback" / "churn"
    monkeypatch.setenv("NBDEPLOY_FEEDBACK", str(folder))
    monkeypatch.setenv("NBDEPLOY_ENDPOINT", "churn")
    return folder


def kept(folder):
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def post(app, body, content_type="application/json", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body)
    named = {"content-type": content_type} | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, "POST", "/feedback", content=content, headers=named)


def test_ground_truth_is_written_before_it_is_acknowledged(front, folder, records):
    one = post(front, {"request_id": "r1", "actual": {"any": ["JSON", None, 2**70]}}, x_request_id="mine")
    assert one.json() == {"accepted": 1}
    assert (one.headers["x-request-id"], one.headers["x-model-version"]) == ("mine", "inverse:1a2b")
    many = [{"request_id": "r2", "row": row, "actual": actual} for row, actual in enumerate(("yes", None, 0.5))]
    assert post(front, {"feedback": many}).json() == {"accepted": 3}
    assert post(front, {"feedback": []}).json() == {"accepted": 0}
    lines = kept(folder)
    assert [(line["request_id"], line["row"], line["actual"]) for line in lines] == [
        ("r1", 0, {"any": ["JSON", None, 2**70]}), ("r2", 0, "yes"), ("r2", 1, None), ("r2", 2, 0.5),
    ]  # fmt: skip
    assert {line["endpoint"] for line in lines} == {"churn"}
    assert records() == []  # it is no prediction


def test_only_the_owner_may_read_it(front, folder):
    post(front, {"request_id": "r1", "actual": 1})
    (segment,) = folder.iterdir()
    assert (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE(segment.stat().st_mode)) == (0o700, 0o600)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ([], []),
        ({}, ["request_id"]),
        ({"request_id": "r1"}, ["actual"]),
        ({"request_id": 7, "actual": 1}, ["request_id"]),
        ({"request_id": "a\nb", "actual": 1}, ["request_id"]),
        ({"request_id": "r1", "row": -1, "actual": 1}, ["row"]),
        ({"request_id": "r1", "row": True, "actual": 1}, ["row"]),
        ({"request_id": "r1", "row": 1.0, "actual": 1}, ["row"]),
        ({"request_id": "r1", "rows": 1, "actual": 1}, ["rows"]),
        ({"feedback": {}}, ["feedback"]),
        ({"feedback": [], "actual": 1}, ["actual"]),
        ({"feedback": [{"request_id": "r1", "actual": 1}, 7]}, ["feedback", 1]),
        ({"feedback": [{"request_id": "r1", "actual": 1}, {"request_id": "r2"}]}, ["feedback", 1, "actual"]),
    ],
    ids=json.dumps,
)
def test_invalid_feedback_is_a_422_that_names_the_item_and_stores_nothing(front, folder, body, loc):
    content = problem(post(front, body), 422)
    assert loc in [error["loc"] for error in content["errors"]]
    assert ".".join(map(str, loc)) in content["detail"]
    assert not folder.exists()


def test_invalid_json_large_bodies_and_other_methods_are_refused_as_for_predictions(front, folder):
    problem(post(front, b"{"), 400)
    problem(post(front, b'{"request_id": "r1", "actual": NaN}'), 400)
    problem(post(front, {"request_id": "r1", "actual": "x" * 2000}), 413)
    problem(post(front, {"request_id": "r1", "actual": 1}, content_type="text/plain"), 415)
    assert ask(front, "GET", "/feedback").headers["allow"] == "POST"
    assert "without the slash" in problem(ask(front, "POST", "/feedback/"), 404)["detail"]
    assert not folder.exists()


def test_of_many_faults_the_first_twenty_are_named(front, folder):
    front._max_body_bytes = 10**6
    assert len(problem(post(front, {"feedback": [{"row": -1}] * 1000}), 422)["errors"]) == 20


@pytest.mark.parametrize("mode", ["meta", "off", "what a newer gateway says"])
def test_an_endpoint_that_keeps_no_data_keeps_no_feedback_and_says_so(front, folder, mode):
    assert (
        "keeps no data" in problem(post(front, {"request_id": "r1", "actual": 1}, x_rollout_record=mode), 409)["detail"]
    )
    assert not folder.exists()


def counted(outcome):
    return REGISTRY.get_sample_value("nbdeploy_feedback_total", {"outcome": outcome}) or 0


def test_feedback_that_cannot_be_written_is_a_503_is_counted_and_is_accepted_later(front, folder):
    before = counted("lost"), counted("accepted")
    folder.parent.mkdir()
    folder.touch()  # a file where the folder should be
    many = {"feedback": [{"request_id": f"r{number}", "actual": 1} for number in range(3)]}
    refused = post(front, many)
    assert "send all of it again" in problem(refused, 503)["detail"]
    assert refused.headers["retry-after"]
    folder.unlink()
    assert post(front, many).json() == {"accepted": 3}
    assert len(kept(folder)) == 3
    assert (counted("lost"), counted("accepted")) == (before[0] + 3, before[1] + 3)


def test_without_a_folder_for_it_the_service_says_that_it_takes_none(front):
    assert "NBDEPLOY_FEEDBACK" in problem(post(front, {"request_id": "r1", "actual": 1}), 501)["detail"]


def test_feedback_does_not_wait_for_a_model_that_computes(front, folder):
    async def both():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            slow = asyncio.create_task(client.post("/predict", json={"instances": [99]}))
            await asyncio.to_thread(STARTED.wait, 30)
            taken = await client.post("/feedback", json={"request_id": "r1", "actual": 1})
            assert not slow.done()
            RELEASED.set()
            await slow
            return taken

    STARTED.clear()
    RELEASED.clear()
    assert asyncio.run(both()).json() == {"accepted": 1}


def test_of_two_fronts_the_outer_one_takes_it(model, folder):
    outer = Front(Front(inner(), model=model), model=model)
    assert post(outer, {"request_id": "r1", "actual": 1}).json() == {"accepted": 1}
    assert len(kept(folder)) == 1
    outer._close()


# ---- what people bring

WANTED = [Actual(request_id="r1", row=0, actual=1), Actual(request_id="r1", row=1, actual=0.5)]
ITEMS = [{"request_id": "r1", "row": 0, "actual": 1}, {"request_id": "r1", "row": 1, "actual": 0.5}]


def as_file(path, form):
    path = path / f"truth.{form}"
    if form == "csv":
        path.write_text("\ufeffrequest_id,actual,row\nr1,1,0\nr1,0.5,1\n", encoding="utf-8")
    elif form == "parquet":
        pd.DataFrame(ITEMS).to_parquet(path)
    elif form == "json":
        path.write_text(json.dumps({"feedback": ITEMS}))
    else:
        path.write_text("\n".join(map(json.dumps, ITEMS)) + "\n\n")
    return str(path)


@pytest.mark.parametrize("form", ["csv", "jsonl", "ndjson", "json", "parquet"])
def test_files_of_each_form_say_the_same(tmp_path, form):
    path = as_file(tmp_path, form)
    assert read(path, texts=False) == WANTED
    assert read(f"@{path}", texts=False) == WANTED


@pytest.mark.parametrize(
    "data",
    [json.dumps(ITEMS), ITEMS, {"feedback": ITEMS}, pd.DataFrame(ITEMS), pd.DataFrame(ITEMS).astype({"row": float})],
    ids=["text", "list", "dict", "frame", "frame of floats"],
)
def test_json_and_objects_of_python_say_the_same(data):
    assert read(data, texts=False) == WANTED


def test_a_cell_of_a_csv_file_has_the_type_of_the_models_answers(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text('request_id,actual\na,1\nb,True\nc,yes\nd,"[1, 2]"\ne,NaN\n')
    assert [one.actual for one in read(path, texts=False)] == [1, True, "yes", [1, 2], "NaN"]
    assert [one.actual for one in read(path, texts=True)] == ["1", "True", "yes", "[1, 2]", "NaN"]
    assert {one.row for one in read(path, texts=True)} == {0}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "a.csv", "request_id,row,actual\nr1,0,yes\n,x,\nr2,0\n\nr3,0,no,more\n",
            ["3 of 4", "line 3: request_id", "row: ", "line 4: actual", "line 6: more cells"],
        ),
        ("a.csv", "request_id,row\nr1,0\n", ["no column actual (it has: request_id, row)"]),
        ("a.csv", "", ["no column request_id and no column actual (it has: none)"]),
        ("a.csv", "request_id,actual,name\nr1,1,Ada\n", ["line 2: name: unknown key"]),
        ("a.jsonl", '{"request_id": "r1", "actual": 1}\n{"request\n', ["line 2 of", "not JSON"]),
        ("a.json", "7", ["feedback cannot be of type int"]),
        ("a.json", '{"request_id": "r1"}', ["item 1: actual: missing"]),
        ("a.parquet", "no parquet", ["cannot read"]),
        ("a.txt", "r1,1", ["is not supported for feedback"]),
    ],
)  # fmt: skip
def test_errors_in_a_file_are_named_by_their_lines(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read(str(tmp_path / name), texts=False)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(InvalidInput, match=r"none.csv: No such file"):
        read(str(tmp_path / "none.csv"), texts=False)


def test_of_many_bad_lines_ten_are_named_and_the_others_counted(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("request_id,actual\n" + "r1,\n" * 50)
    with pytest.raises(InvalidInput, match=r"(?s)50 of 50 lines.*line 11.*and 40 more"):
        read(path, texts=False)
