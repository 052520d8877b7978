"""Sampled requests and redacted columns: as a release writes them, and as readers of records see them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from record_world import CANARY, NOON, World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.domain.evidence.sequential import proportion
from jupyter_deploy.faces.kernel import recorded as face
from jupyter_deploy.faces.kernel.model_input import model_input
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.ground_truth import RecordedGroundTruth
from jupyter_deploy.serving import Front
from jupyter_deploy.serving.telemetry.recording import place_of
from tests.contract.records.test_feedback import folder, kept, post
from tests.contract.serving.test_serving_front import front, model, predict, problem, records
from tests.releases import release

__all__ = ["folder", "front", "model", "records"]

SSN = "123-45-6789"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def sampled(**more):
    return endpoint().recording(None, 0.25).model_copy(update=more)


def sample(world, numbers, share=0.25):
    """Requests as gateway and releases write them; returns those that are recorded."""
    chosen = [number for number in numbers if place_of(f"p{number}") < share]
    for number in numbers:
        world.ledger("edge", number, "aaa", record=f"full;sample={share}")
        world.ledger("shadow", number, record=f"full;sample={share}")
    for number in chosen:
        world.pair(number, sample=share, stable_fields={"sample": share})
    return chosen


@pytest.mark.parametrize("compacted", [False, True], ids=["lines", "parquet"])
def test_coverage_is_of_the_requests_that_were_to_be_recorded(world, compacted):
    chosen = sample(world, range(200))
    for number in range(200, 300):  # their copies came to nothing
        world.ledger("shadow", number, flags="UT", status=504, record="full;sample=0.25")
        if place_of(f"p{number}") < 0.25:
            world.record(number, "aaa", "stable", sample=0.25)
    lost = sum(place_of(f"p{number}") < 0.25 for number in range(200, 300))
    if compacted:
        for log in ("edge", "shadow"):
            (world.home / "ledger" / f"{log}.jsonl").rename(world.home / "ledger" / f"{log}-1-1.v1.jsonl")
        assert compact_all(world.home) == []
    found = world.compare(sampled(), overflowed=8)
    assert 30 < len(chosen) < 70
    assert found.shadow_failures == {"timed out": lost, "overflow": 2}
    assert (found.pairs, found.mirrored) == (len(chosen), len(chosen) + lost + 2)
    assert found.coverage == proportion(found.pairs, found.mirrored).estimate()
    (note,) = found.notes
    assert note.startswith("of a sample: 25 % of the requests were recorded, chosen by a hash of pair_id")
    assert note.endswith("overflow counts all requests, and is scaled by the current share")
    assert "; a 25 % sample is recorded" in text(found)


def test_a_share_that_was_changed_holds_for_the_requests_of_its_time(world):
    chosen = sample(world, range(100))
    for number in range(100, 130):
        world.pair(number)
        world.ledger("shadow", number, record="full")
        world.ledger("shadow", number + 1000, record="off")
    found = world.compare(endpoint())
    assert (found.pairs, found.mirrored) == (len(chosen) + 30, len(chosen) + 30)
    assert "25 % to 100 % of the requests were recorded" in found.notes[0]
    assert found.notes[0].endswith("times with a larger sample count more")
    assert world.compare(endpoint(), since=NOON + timedelta(seconds=100)).notes == []


def test_a_canarys_counts_are_marked_as_a_sample(world):
    for number in range(10):
        world.record(number, "aaa", "stable", sample=0.25)
    found = world.compare(endpoint(**CANARY).recording(None, 0.25))
    assert (found.record_sample, found.sides["stable"].requests) == (0.25, 10)
    assert found.notes[0].startswith("of a sample: 25 %")


def test_a_record_of_a_sample_counts_for_all_its_requests(world):
    for number in range(8):
        world.record(number, "aaa", "stable", sample=0.25, status=500 if number == 0 else 200)
    world.record(8, "aaa", "stable")
    log, day = RecordLog(world.home), timedelta(days=1)
    (span,) = log.time_series("tumour", since=NOON, until=NOON + day, every=day).buckets
    assert (span.requests, span.errors) == (33, 4)
    assert text(log.records("tumour")).splitlines()[-1] == "(sample: recorded of 25 % of the requests)"


REDACTED = {"inputs": [{"age": 4}], "redacted": ["ssn"]}


def test_complete_sampled_and_redacted_records_are_read_together_as_lines_and_as_parquet(world):
    world.pair(1, segment="1-1.v1.jsonl")
    assert compact_all(world.home) == []
    log = RecordLog(world.home)
    assert [record.redacted for record in log.records("tumour")] == [(), ()]
    other = {"segment": "2-2.v1.jsonl", "sample": 0.5, **REDACTED}
    world.pair(2, stable_fields=other, **other)
    for _ in range(2):
        found = {record.request_id: record for record in log.records("tumour", RecordFilter(role="shadow"))}
        assert (found["r1"].redacted, found["r1"].sample) == ((), 1.0)
        assert (found["r2"].redacted, found["r2"].sample) == (("ssn",), 0.5)
        assert world.compare().pairs == 2
        assert compact_all(world.home) == []
    assert not list(world.home.glob("records/**/*.jsonl"))


def test_a_reader_of_redacted_data_gets_a_note(world, monkeypatch):
    world.pair(1, **REDACTED, stable_fields=REDACTED)
    log = RecordLog(world.home)
    record = log.records("tumour")[0]
    with pytest.raises(InvalidInput, match="is on record without ssn, which was redacted"):
        model_input(record)
    assert text([record]).splitlines()[-1] == "(redacted: ssn)"
    with RecordedGroundTruth(world.home).recorded("tumour", since=NOON, limit=10) as rows:
        monkeypatch.setenv("NBDEPLOY_RECORDED", str(rows.path))
        monkeypatch.setenv("NBDEPLOY_RECORDED_OF", str(rows.of))
        with pytest.warns(UserWarning, match="the values of ssn are redacted"):
            frame = face.recorded()
    assert (frame.attrs["redacted"], frame.attrs["features"]) == (["ssn"], ["age"])
    both = [release(version, redact=("ssn",)) for version in ("aaa", "bbb")]
    assert world.compare(endpoint().model_copy(update={"releases": tuple(both)})).notes == [
        "values of ssn are redacted: inputs and answers are shown and compared without them"
    ]
    both[0] = release("aaa")
    differ = world.compare(endpoint().model_copy(update={"releases": tuple(both)})).notes
    assert "ssn of one release only" in differ[0]


def test_values_of_a_redacted_column_are_in_neither_record_nor_log(front, records, capsys):
    told = {"x_rollout_record": "full;redact=ssn"}
    assert predict(front, '{"instances": [0]}', **told).status_code == 500
    assert problem(predict(front, f'{{"instances": ["{SSN}"]}}', **told), 422)
    assert problem(predict(front, f'{{"instances": "{SSN}"}}', **told), 422)
    assert problem(predict(front, f'{{"instances": {SSN}}}', **told), 400)
    failed, *refused = records()
    assert (failed.error.type, failed.error.message, failed.redacted) == ("ZeroDivisionError", "", ("ssn",))
    assert {(record.inputs, record.error.message) for record in refused} == {(None, "")}
    log = capsys.readouterr().err
    assert "ZeroDivisionError" in log
    assert "division" not in log


def test_feedback_is_written_without_redacted_values(front, folder):
    actual = {"ssn": SSN, "risk": 0.5}
    assert post(front, {"request_id": "r1", "actual": actual}, x_rollout_record="full;redact=ssn").status_code == 200
    assert [line["actual"] for line in kept(folder)] == [{"risk": 0.5}]


def test_a_release_samples_requests_by_their_ids(front, records):
    ids = [f"p{number}" for number in range(40)]
    for one in ids:
        assert predict(front, '{"instances": [2]}', x_rollout_record="full;sample=0.25", x_pair_id=one).is_success
    chosen = [one for one in ids if place_of(one) < 0.25]
    assert [record.pair_id for record in records()] == chosen
    assert 0 < len(chosen) < 20


def test_a_request_that_is_not_in_the_sample_is_answered_where_records_are_required(model, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "file" / "records"))
    monkeypatch.setenv("NBDEPLOY_WHEN_RECORD_FAILS", "refuse")
    app = Front(None, model=model)
    statuses = {
        place_of(one) < 0.25: predict(
            app, json.dumps({"instances": [2]}), x_rollout_record="full;sample=0.25", x_pair_id=one
        ).status_code
        for one in (f"p{number}" for number in range(40))
    }
    assert statuses == {True: 503, False: 200}
    app._close()
