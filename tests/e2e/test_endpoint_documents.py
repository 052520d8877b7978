"""One endpoint by its document: planned, applied, written back, changed, and continued after a kill."""

import json
import os
import signal
import subprocess
import sys

import httpx
import yaml

from tests.e2e.conftest import ROW


def test_a_document_makes_an_endpoint_and_an_endpoint_writes_its_document(home, plain_snapshots, tmp_path):
    """One story, since each endpoint takes seconds to make."""
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    one, two = tags[1.0], tags[0.001]
    file = tmp_path / "endpoints.yaml"

    def write(**more):
        file.write_text(yaml.safe_dump({"name": "churn", "releases": [{"tag": one}], **more}), "utf-8")

    write(releases=[{"tag": one}, {"tag": two, "label": "lower limit"}], traffic={"stable": one, "shadow": {two: 50}})
    refused = home.run("plan", file, check=False)
    assert (refused.returncode, "--trust" in refused.stderr) == (1, True), refused.stderr
    assert home.run("list").stdout.strip() == "nothing to show"
    planned = home.run("plan", file, "--trust", check=False)
    assert (planned.returncode, planned.stdout.splitlines()[0]) == (
        1,
        "2 changes of 1 endpoint planned; 'nbdeploy apply FILE' makes them",
    )
    assert home.run("list").stdout.strip() == "nothing to show", "a plan changes nothing"

    (applied,) = home.json("apply", file, "--trust", "--reason", "first")
    assert (applied["applied"], applied["revision"], len(applied["changes"])) == (True, 2, 2)
    asked = httpx.post(f"{applied['url']}/predict", json={"instances": [ROW]}, trust_env=False)
    assert asked.headers["x-model-version"] == one
    assert home.run("plan", file).returncode == 0
    assert home.json("apply", file)[0]["changes"] == []
    assert home.json("describe", "churn")["revision"] == 2, "a second apply changes nothing"

    written = tmp_path / "written.yaml"
    written.write_text(home.run("describe", "churn", "-o", "yaml").stdout, "utf-8")
    assert yaml.safe_load(written.read_text())["traffic"] == {"stable": one, "shadow": {two: 50.0}}
    assert home.run("plan", written).returncode == 0, "an endpoint is as its own document says"

    home.json("traffic", "churn", "--shadow", f"{two}=0")
    assert home.run("plan", file, check=False).returncode == 1, "somebody changed the endpoint"
    changed = yaml.safe_load(written.read_text()) | {"traffic": {"stable": two, "canary": {one: 20}}, "record": "meta"}
    written.write_text(yaml.safe_dump(changed), "utf-8")
    killed_at_the_second_change(home, written)
    assert home.json("describe", "churn")["traffic"]["stable"] == two, "the first change was complete"
    rest = [change["command"] for change in home.json("plan", written, check=False)[0]["changes"]]
    assert rest in ([f"nbdeploy traffic churn --canary {one}=20 --record meta --record-sample 1"], [])
    (applied,) = home.json("apply", written)
    described = home.json("describe", "churn")
    assert described["traffic"] == {"stable": two, "canary": one, "canary_percent": 20.0, "shadows": {}}
    assert described["record"] == "meta"
    reasons = [revision["reason"] for revision in home.json("history", "churn")]
    itself = json.dumps({"name": "churn", "releases": [{"tag": two}], "record": "off"})
    based = str(described["revision"])
    (only,) = home.json("plan", "--document", itself, check=False)[0]["changes"]
    assert only["change"].startswith("records: "), "what a document leaves out stays"
    stale = home.run("apply", "--document", itself, "--if-revision", "1", check=False)
    assert (stale.returncode, f"churn is at revision {based}, not 1" in stale.stderr) == (1, True), stale.stderr
    assert home.json("apply", "--document", itself, "--if-revision", based)[0]["applied"]
    assert home.json("history", "churn")[0]["reason"] == "apply a document"
    for words in ((), (written, "--document", itself)):
        wrong = home.run("plan", *words, check=False)
        assert (wrong.returncode, "name one YAML file" in wrong.stderr) == (2, True), wrong.stderr
    assert (reasons[:2], reasons[-2:]) == (["apply written.yaml"] * 2, ["first", "first"])


def killed_at_the_second_change(home, file):
    """Kill an ``apply`` as soon as it names its second change."""
    command = [sys.executable, "-m", "jupyter_deploy", "apply", str(file)]
    with subprocess.Popen(command, env=os.environ | home.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "canary 20 %" in line:
                break
        process.send_signal(signal.SIGKILL)
