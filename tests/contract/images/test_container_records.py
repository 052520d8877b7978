"""A container's log and records, by its variables and not by its clients."""

from __future__ import annotations

import pytest

from tests.contract.contained import RIGHT, ROW, built, container, lines

pytestmark = pytest.mark.usefixtures("forked_replays")

OTHER = {**ROW, "sex": "m"}


@pytest.fixture(scope="module")
def churn(tmp_path_factory):
    return built(tmp_path_factory.mktemp("contained"), "churn")


def records_in(said):
    return [line for line in said if "latency_ms" in line]


def messages(running):
    return [line["message"] for line in running.said() if "level" in line]


def kept_in(folder):
    return [line for file in sorted(folder.glob("*.jsonl")) for line in lines(file.read_text())]


def test_without_a_folder_it_logs_once_that_no_records_are_kept(churn, tmp_path):
    with container(churn, tmp_path) as running:
        assert running.predict(ROW).status_code == 200
        assert records_in(running.said()) == []
        (said,) = messages(running)
    assert said.endswith(
        f"is ready on port {running.port}; no records are kept: mount a folder at /records, or set NBDEPLOY_RECORDS to "
        "one, or to stdout"
    )


def test_records_go_to_a_folder_and_no_client_sets_the_mode(churn, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    forged = {"x_rollout_record": "off", "x_rollout_role": "shadow", "x_pair_id": "mine", "x_request_id": "one"}
    with container(churn, tmp_path / "run", NBDEPLOY_RECORDS=str(folder)) as running:
        assert running.predict(ROW, **forged).json() == {"predictions": [RIGHT]}
        assert f"records go to {folder} (full)" in messages(running)[0]
        (record,) = kept_in(folder)
    assert (record["request_id"], record["pair_id"], record["role"]) == ("one", None, "direct")
    assert (record["inputs"], record["outputs"]) == ([ROW], [RIGHT])


def test_records_go_to_standard_output_a_line_each_without_redacted_columns(churn, tmp_path):
    chosen = {"NBDEPLOY_RECORDS": "stdout", "NBDEPLOY_REDACT": "sex, age"}
    with container(churn, tmp_path, **chosen) as running:
        assert running.predict(ROW, x_rollout_record="full").json() == {"predictions": [RIGHT]}
        refused = running.predict({**ROW, "sex": 7})
        assert refused.status_code == 422
        answered, failed = records_in(running.said())
    assert (answered["inputs"], answered["redacted"]) == ([{"weight": 2.0}], ["sex", "age"])
    assert (failed["status"], failed["inputs"], failed["error"]["message"]) == (422, None, "")


def test_a_redacted_value_that_the_model_prints_is_masked(churn, tmp_path):
    chosen = {"NBDEPLOY_REDACT": "age", "NBDEPLOY_RECORDS": "stdout", "SAYS": "age {0.age}, weight {0.weight}"}
    with container(churn, tmp_path, **chosen) as running:
        assert running.predict({**ROW, "age": 31337, "weight": 4711.0}).status_code == 200
        assert running.predict({**ROW, "age": 31}).status_code == 200
        said = [line["message"] for line in running.said() if line.get("logger") == "stdout"]
    assert said[-2:] == ["age ***, weight 4711.0", f"age 31, weight {ROW['weight']}"]


@pytest.mark.parametrize(("mode", "kept"), [("meta", [(200, None)]), ("off", [])])
def test_a_variable_sets_the_recording_mode(churn, tmp_path, mode, kept):
    with container(churn, tmp_path, NBDEPLOY_RECORDS="stdout", NBDEPLOY_RECORD=mode) as running:
        assert running.predict(ROW).status_code == 200
        found = [(record["status"], record["inputs"]) for record in records_in(running.said())]
    assert found == kept


def test_the_proof_of_the_example_leaves_no_record(churn, tmp_path):
    with container(churn, tmp_path, NBDEPLOY_RECORDS="stdout") as running:
        assert records_in(running.said()) == []


def test_all_output_is_json_lines_and_requests_are_not_logged(churn, tmp_path):
    with container(churn, tmp_path, SAYS='half a "word') as running:
        assert running.predict(ROW).status_code == 200
        assert running.end() == 0
    assert running.err.read_text() == ""
    own = [(line["logger"], line["message"]) for line in running.said() if "logger" in line]
    assert own[-2:] == [("stdout", 'half a "word'), ("stderr", "and this")]
    assert all(line["ts"] and line["level"] in ("info", "warning") for line in running.said())


def test_requests_are_logged_if_the_access_log_is_on(churn, tmp_path):
    with container(churn, tmp_path, NBDEPLOY_ACCESS_LOG="true") as running:
        running.predict(ROW)
        said = [line["message"] for line in running.said() if line.get("logger") == "uvicorn.access"]
    assert any('"POST /predict HTTP/1.1" 200' in message for message in said)


def test_the_log_can_be_text(churn, tmp_path):
    with container(churn, tmp_path, NBDEPLOY_LOG_FORMAT="text", SAYS="words") as running:
        assert running.predict(ROW).status_code == 200
        assert running.end() == 0
    said = running.out.read_text().splitlines()
    assert said[-2:] == ["words", "and this"]
    assert any(line.startswith("churn:") for line in said)


def test_records_on_standard_output_stay_whole_among_other_output(churn, tmp_path):
    with container(churn, tmp_path, NBDEPLOY_RECORDS="stdout", SAYS="words") as running:
        rows = [ROW] * 2000
        for _ in range(20):
            assert running.predict(*rows).status_code == 200
        found = records_in(running.said())
    assert [len(record["inputs"]) for record in found] == [2000] * 20
