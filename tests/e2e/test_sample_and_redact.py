"""The stored data of a running endpoint: a sample with complete pairs, and no redacted value."""

import json
import re
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.serving.telemetry.recording import place_of
from tests import notebooks
from tests.e2e.conftest import Load, until

pytestmark = pytest.mark.timeout(1800)

TRAIN = """
import pandas as pd

class Risk:
    def predict(self, frame):
        if (frame["age"] < 0).any():
            raise ValueError(f"nobody is so young: {frame.to_dict('list')}")
        return ["high" if age > LEAST else "low" for age in frame["age"]]

model = Risk()
X = pd.DataFrame({"ssn": ["000-00-0001", "000-00-0002"], "iban": ["DE1", "DE2"], "age": [30, 60]})
"""

# Each that is sent is another one, so that the one that is found tells where it came from.
SECRET = "987-65-{:04}"
ANY_SECRET = re.compile(rb"987-65-\d{4}|98765\d{4}")


class Secrets:
    def __init__(self):
        self.sent = 0

    @property
    def next(self):
        self.sent += 1
        return SECRET.format(self.sent)


def deploy(home, folder, least, *options, check=True):
    path = notebooks.write(folder / "train.ipynb", TRAIN.replace("LEAST", str(least)))
    words = ("deploy", path, "--name", "risk", "--model", "model", "--example", "X", "-o", "json", *options)
    return home.run(*words, check=check)


def ask_with_secrets(url):
    """Requests and feedback of all kinds, each with a secret; 12 of them call the model. The number of requests."""
    secrets = Secrets()
    with httpx.Client(trust_env=False, timeout=60, base_url=url) as client:

        def ask(status, *instances, **more):
            answer = client.post("/predict", json={"instances": list(instances)}, **more)
            assert answer.status_code == status, answer.text

        for age in (30, 45, 60):
            ask(200, {"ssn": secrets.next, "iban": "DE44", "age": age})
        ask(500, {"ssn": secrets.next, "iban": "DE44", "age": -1})
        ask(422, {"ssn": int(secrets.next.replace("-", "")), "iban": "DE44", "age": 1})
        ask(422, {"ssn": [secrets.next], "iban": "DE44", "age": 1})
        ask(422, {"SSN": secrets.next, "iban": "DE44", "age": 1})
        ask(422, {"ssn": secrets.next, "iban": "DE44", "age": "old"})
        ask(422, secrets.next)
        ask(422, [secrets.next, "DE44", 1])
        for body, status in ((f'{{"ssn": "{secrets.next}"}}', 422), (f'{{"instances": [{{"ssn": "{secrets.next}', 400)):
            answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == status
        actual = {"request_id": "r1", "actual": {"ssn": secrets.next, "defaulted": True}}
        assert client.post("/feedback", json=actual).status_code == 200
        wrong = {"request_id": 1, "actual": {"ssn": secrets.next}}
        assert client.post("/feedback", json=wrong).status_code == 422
        assert client.post("/predictt", json={"instances": [{"ssn": secrets.next}]}).status_code == 404
    return secrets.sent


def leaks(*folders):
    """Files that hold a secret, and the secret; Parquet files are searched in their unpacked form."""
    import duckdb

    found = {}
    for path in (path for folder in folders for path in Path(folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                content += repr(connection.execute(f"SELECT * FROM read_parquet('{path}')").fetchall()).encode()
        if secret := ANY_SECRET.search(content):
            found[str(path)] = secret[0]
    return found


def test_the_values_of_a_redacted_column_are_nowhere_on_the_disk(home, tmp_path):
    refused = deploy(home, tmp_path, 50, "--redact", "snn", check=False)
    assert refused.returncode == 2
    assert "--redact names 'snn', and the model has no such column" in refused.stderr
    assert "did you mean ssn?" in refused.stderr
    (home.path / "nbdeploy.yaml").write_text("redact: [ssn]\n")
    url = json.loads(deploy(home, tmp_path, 50).stdout)["url"]
    shadow = json.loads(deploy(home, tmp_path, 40).stdout)["release"]  # as stable does, unsaid
    releases = home.json("describe", "risk")["releases"]
    assert [release["redact"] for release in releases] == [["ssn"], ["ssn"]]

    assert ask_with_secrets(url) == 15
    folder = Path(home.environment["NBDEPLOY_HOME"])
    log = RecordLog(folder)
    until(lambda: all(len(log.records("risk", RecordFilter(role=role))) == 12 for role in ("stable", "shadow")))
    records = log.records("risk", RecordFilter(role="stable"))
    assert [record.inputs for record in records if record.status == 200] == [
        [{"iban": "DE44", "age": age}] for age in (30, 45, 60)
    ]
    assert {record.redacted for record in records} == {("ssn",)}
    by_status = {status: [r for r in records if r.status == status] for status in (400, 422, 500)}
    assert {record.inputs is None for record in by_status[422]} == {True}
    assert [(r.error.type, r.error.message, r.inputs) for r in by_status[500]] == [
        ("ValueError", "", [{"iban": "DE44", "age": -1}])
    ]
    assert any("instances.0.age: must be" in r.error.message for r in by_status[422])

    compared = home.json("compare", "risk")
    assert (compared["pairs"], compared["flip_count"]) == (12, 1)
    assert compared["flips"][0]["input"] == {"iban": "DE44", "age": 45}
    assert compared["notes"] == ["values of ssn are redacted: inputs and answers are shown and compared without them"]
    assert home.run("logs", "risk").stdout.splitlines()[-1] == "(redacted: ssn)"
    assert re.search(rf"{shadow}\s+ssn", home.run("describe", "risk").stdout)
    assert "ssn redacted" in home.run("history", "risk").stdout
    home.run("purge", "risk", "--request-id", "nobody")  # all is compacted by that
    assert list((folder / "records").rglob("*.parquet"))
    home.down()
    assert leaks(home.path, tmp_path) == {}

    (home.path / "nbdeploy.yaml").unlink()
    changed = json.loads(deploy(home, tmp_path, 50, "--redact", "iban").stdout)
    assert changed["changed"]  # the very same model, and its release goes on with other columns redacted
    tags = {release["tag"]: release["redact"] for release in home.json("describe", "risk")["releases"]}
    assert tags == {changed["release"]: ["iban"], shadow: ["ssn"]}
    probe = {"ssn": SECRET.format(0), "iban": "DE55", "age": 30}
    httpx.post(f"{changed['url']}/predict", json={"instances": [probe]}, trust_env=False).raise_for_status()
    until(lambda: len(log.records("risk", RecordFilter(role="shadow"))) == 13)
    last = {record.role: record.inputs for record in log.records("risk") if record.role != "probe"}
    assert last == {"stable": [{"ssn": SECRET.format(0), "age": 30}], "shadow": [{"iban": "DE55", "age": 30}]}
    assert set(leaks(home.path).values()) == {SECRET.format(0).encode()}


@pytest.mark.exhaustive  # its guard: tests/contract/records/test_sampled_and_redacted.py
def test_a_sample_has_the_same_requests_of_stable_and_shadow_and_compare_knows_of_how_many(home, plain_snapshots):
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    url = home.json("deploy", tags[1.0], "--trust", "--record-sample", "30%")["url"]
    home.json("deploy", tags[0.001], "--trust")
    described = home.json("describe", "churn")
    assert (described["record"], described["record_sample"]) == ("full", 0.3)
    with Load(url, clients=2) as load:
        load.wait_for(100)
        changed = home.json("traffic", "churn", "--record-sample", "0.6")  # in force at once, and nobody notices
        assert changed["change"] == "records: full of 30 % → full of 60 %"
        load.wait_for(100)
    assert load.failures == []
    folder = Path(home.environment["NBDEPLOY_HOME"])

    def ledger():
        lines = [json.loads(line) for line in (folder / "ledger" / "shadow.jsonl").read_text().splitlines()]
        return lines if len(lines) == len(load.answers) else None

    def share(line):
        return float(line["record"].partition("sample=")[2])

    lines = until(ledger)
    assert {share(line) for line in lines} == {0.3, 0.6}
    chosen = {line["pair_id"] for line in lines if place_of(line["pair_id"]) < share(line)}
    log = RecordLog(folder)
    until(lambda: len(log.records("churn", RecordFilter(role="shadow"))) == len(chosen))
    for role in ("stable", "shadow"):
        found = log.records("churn", RecordFilter(role=role))
        assert {record.pair_id for record in found} == chosen
        assert len(found) == len(chosen)
    compared = home.json("compare", "churn")
    assert (compared["pairs"], compared["mirrored"]) == (len(chosen), len(chosen))
    assert compared["shadow_failures"] == {}
    assert compared["record_sample"] == 0.6
    assert compared["notes"][0].startswith("of a sample: 30 % to 60 % of the requests were recorded")
    assert "of 60 % of the requests" in home.run("describe", "churn").stdout
    assert "(sample: recorded of 30 % or 60 % of the requests)" in home.run("logs", "churn").stdout
    home.run("rollback", "churn")
    assert home.json("describe", "churn")["record_sample"] == 0.3
