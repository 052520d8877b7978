"""Recording modes: the header, the sample by id, the redacted columns."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import pytest

from jupyter_deploy.records.ledger import SAMPLE_POSITION_SQL
from jupyter_deploy.serving.dispatch.outcomes import Outcome
from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.telemetry.recording import EVERYTHING, Recording, place_of, recording
from jupyter_deploy.serving.telemetry.records import Entry, Recorder

SSN = "123-45-6789"
REDACTED = Recording(redact=("ssn",))


@pytest.mark.parametrize(
    "kept",
    [
        EVERYTHING,
        Recording("meta"),
        Recording("off", 0.5),
        Recording(sample=0.1, redact=("ssn", "a,b;c=d", "50% quantile", 'na"me', "größe", " ")),
        Recording(sample=1e-7),
    ],
)
def test_a_header_restores_the_mode_and_is_ascii(kept):
    assert recording(kept.header) == kept
    assert kept.header.isascii()
    assert kept.header.isprintable()


@pytest.mark.parametrize(
    "header", ["everything", "full;sample=0", "full;sample=nan", "full;sample=x", "full;later=1", "full;redact=%FF", ""]
)
def test_an_unknown_header_keeps_no_data(header):
    assert recording(header) == Recording("meta")


def test_without_a_header_everything_is_kept():
    assert recording(None) == EVERYTHING


def test_the_id_alone_decides_whether_a_request_is_sampled():
    # As it was when this was written: another version of Python, or of nbdeploy, must say the same.
    assert place_of("8b0bc3cf-8b1f-4a06-8f0a-4f0f4c5a3c51") == 0.24864107801359925
    ids = [str(number) for number in range(5000)]
    tenth = {one for one in ids if Recording(sample=0.1).keeps(one, "r")}
    assert tenth == {one for one in ids if Recording(sample=0.1).keeps(None, one)}
    assert 400 < len(tenth) < 600
    assert tenth < {one for one in ids if Recording(sample=0.3).keeps(one, "r")}
    assert not Recording("off").keeps("p", "r")


def test_the_ledger_computes_the_same_sample():
    import duckdb

    ids = [random.Random(number).randbytes(16).hex() for number in range(500)] + ["", "é"]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE ledger AS SELECT unnest(?::VARCHAR[]) AS pair_id", [ids])
        found = connection.execute(f"SELECT {SAMPLE_POSITION_SQL} FROM ledger").fetchall()
    assert [place for (place,) in found] == [place_of(one) for one in ids]


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b", columns=("ssn", "age"))
    yield recorder
    recorder.close()


def written(recorder, **given):
    usual = {"request_id": "r", "pair_id": "p", "ts_ns": 1, "role": "stable", "status": 200, "latency_ms": 1.5}
    assert recorder.write_all([Entry(**{**usual, "mode": REDACTED, **given})])
    text = recorder.path.read_text().splitlines()[-1]
    assert SSN not in text
    return json.loads(text)


INPUTS = [{"ssn": SSN, "age": 4}, {"age": 5, "ssn": None}]


@pytest.mark.parametrize("given", [INPUTS, Raw(json.dumps(INPUTS).encode())], ids=["values", "raw"])
def test_the_values_of_a_redacted_column_are_not_written(recorder, given):
    answers = [{"ssn": SSN, "risk": 0.5}, {"ssn": SSN, "risk": 0.25}]
    line = written(recorder, inputs=given, outputs=answers, rows=2)
    assert line["inputs"] == [{"age": 4}, {"age": 5}]
    assert line["outputs"] == [{"risk": 0.5}, {"risk": 0.25}]
    assert line["redacted"] == ["ssn"]
    assert written(recorder, outputs=["yes", 0.5, None])["outputs"] == ["yes", 0.5, None]


@pytest.mark.parametrize("kind", [list, lambda values: Raw(json.dumps(values).encode())], ids=["values", "raw"])
def test_a_failed_request_keeps_known_columns_only(recorder, kind):
    given = [{"ssn": SSN, "age": 4}, {"SSN": SSN, "age": 5}, [SSN], SSN]
    line = written(recorder, inputs=kind(given), status=500, rows=4)
    assert line["inputs"] == [{"age": 4}, {"age": 5}, None, None]
    assert written(recorder, inputs=SSN, status=500)["inputs"] is None


@pytest.mark.parametrize("status", [400, 422, 499, 504])
def test_a_refused_request_keeps_no_inputs(recorder, status):
    for given in ([{"SSN": SSN, "age": 4}], [[SSN]], SSN, Raw(f'[{{"ssn ": "{SSN}"}}]'.encode())):
        line = written(recorder, inputs=given, status=status, rows=1)
        assert (line["inputs"], line["rows"], line["redacted"]) == (None, 1, ["ssn"])


@pytest.mark.parametrize(
    ("kind", "message", "kept"),
    [
        ("InvalidInstances", 'instances.0.age: must be a number, not the string "old"', True),
        ("InvalidInstances", "the instances do not fit the model: instances.0.age: must be a number, not 5", True),
        ("InvalidInstances", "instances.3.SSN: unknown feature 'SSN'", True),
        ("InvalidInstances", f'instances.0.ssn: must be a number, not the string "{SSN}"', False),
        ("InvalidInstances", f'instances.0: must be an object, not the string "{SSN}"', False),
        ("InvalidInstances", f'instances.0.person.ssn: must be a number, not the string "{SSN}"', False),
        ("ValueError", f"could not convert string to float: '{SSN}'", False),
        ("Bad Request", f"the number {SSN} is out of range", False),
    ],
)
def test_an_errors_message_is_kept_only_if_it_is_about_another_column(recorder, kind, message, kept):
    line = written(recorder, status=422, error={"type": kind, "message": message})
    assert line["error"] == {"type": kind, "message": message if kept else ""}


def test_a_sampled_record_has_its_share_and_the_others_are_not_written(recorder):
    tenth = Recording(sample=0.1)
    ids = [str(number) for number in range(200)]
    entries = [Entry("r", one, 1, "stable", 200, 1.0, mode=tenth) for one in ids]
    assert recorder.write_all(entries)
    lines = [json.loads(line) for line in recorder.path.read_text().splitlines()]
    assert [line["pair_id"] for line in lines] == [one for one in ids if place_of(one) < 0.1]
    assert {line["sample"] for line in lines} == {0.1}
    assert recorder.write_all([entry for entry in entries if place_of(entry.pair_id) >= 0.1])  # no failure


@pytest.mark.parametrize("mode", [Recording("meta"), Recording("off"), Recording(sample=0.1)])
def test_rows_that_are_not_kept_are_not_converted(mode):
    class Table:
        rows = 3

        @property
        def inputs(self):
            pytest.fail("a table's rows were written out")

    pair_id = next(str(number) for number in range(100) if place_of(str(number)) >= 0.1)
    request = {"request_id": "r", "pair_id": pair_id, "ts_ns": 1, "role": "stable", "latency_ms": 1.0}
    context = SimpleNamespace(**request, record=mode, routing=None, cluster=None, abandoned=False)
    entry = Outcome(SimpleNamespace(context=context, parsed=Table()), 200, None).entry()
    assert (entry.inputs, entry.status) == (None, 200)
