"""What is recorded, compacted and purged behind a running endpoint."""

import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import psutil

from tests.e2e.conftest import ROW, Load, until


def archivists(home):
    """Process ids of the programs that tend this home's records."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "jupyter_deploy.adapters.archivist" in line and home.environment["NBDEPLOY_HOME"] in line:
            found.append(process.pid)
    return found


def test_modes_compaction_and_purge_under_load_lose_and_double_nothing(home, deploy):
    home.environment["NBDEPLOY_SEGMENT_BYTES"] = "4000"
    url, _ = deploy(1.0)["url"], deploy(0.001)
    folder = Path(home.environment["NBDEPLOY_HOME"])
    (archivist,) = archivists(home)
    with Load(url, clients=2) as load:
        os.kill(archivist, signal.SIGKILL)
        changed = home.json("traffic", "churn", "--record", "meta")
        assert changed["change"] == "records: full → meta"
        load.wait_for(20)
        purged = [load.answers[3][0], load.answers[-1][0]]
        asked = [word for one in purged for word in ("--request-id", one)]
        assert home.json("purge", "churn", *asked, "--dry-run")["records"] == 4
        done = home.json("purge", "churn", *asked)
        assert (done["records"], done["ledger_lines"]) == (4, 4)
        load.wait_for(20)
    assert load.failures == []
    until(lambda: archivists(home) not in ([], [archivist]))  # killed, and there again
    until(lambda: not list((folder / "ledger").glob("*.v2.jsonl")))
    records = home.json("logs", "churn")
    recorded = [r for r in records if r["role"] in ("stable", "shadow")]
    wanted = {one for one, _ in load.answers} - set(purged)
    for role in ("stable", "shadow"):
        assert Counter(r["request_id"] for r in recorded if r["role"] == role) == dict.fromkeys(wanted, 1)
    assert {r["inputs"] is None for r in recorded} == {True, False}
    assert all(r["rows"] == 1 for r in recorded)
    last = {r["request_id"]: r for r in recorded}[load.answers[-1][0]]
    assert (last["inputs"], last["outputs"], last["status"]) == (None, None, 200)
    assert list((folder / "records" / "churn").rglob("*.parquet"))
    compared = home.json("compare", "churn")
    assert compared["pairs"] == compared["mirrored"] == len(wanted)
    assert 0 < compared["rows"] < compared["pairs"]
    assert any("without inputs and outputs" in note for note in compared["notes"])
    assert any("4 records" in note for note in compared["notes"])

    home.run("traffic", "churn", "--record", "off")
    for _ in range(3):
        httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).raise_for_status()
    described = home.json("describe", "churn")
    assert (described["record"], described["removed_records"]) == ("off", 4)
    until(lambda: '"off"' in (folder / "ledger" / "shadow.jsonl").read_text())
    compared = home.json("compare", "churn")
    assert compared["pairs"] == compared["mirrored"] == len(wanted)
    assert len(home.json("logs", "churn")) == len(records)
    home.run("rollback", "churn")
    assert home.json("describe", "churn")["record"] == "meta"
