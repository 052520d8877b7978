"""What is recorded, compacted and purged behind a running endpoint."""

import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import psutil

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from tests.e2e.conftest import ROW, Load, until


def archivists(home):
    """Process ids of the programs that tend this home's records."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        ours = "jupyter_deploy.records.archivist" in line and home.environment["NBDEPLOY_HOME"] in line
        if ours and "--once" not in line:  # a child, which may stay for a while
            found.append(process.pid)
    return found


def accounted(home):
    """How many copies are in a pair or have a reason why not."""
    compared = home.json("compare", "churn")
    return compared["pairs"] + sum(compared["shadow_failures"].values())


def test_modes_compaction_and_purge_under_load_lose_and_double_nothing(home, deploy):
    home.environment["NBDEPLOY_SEGMENT_BYTES"] = "4000"
    url, _ = deploy(1.0)["url"], deploy(0.001)
    folder = Path(home.environment["NBDEPLOY_HOME"])
    log = RecordLog(folder)
    (archivist,) = until(lambda: archivists(home))
    with Load(url, clients=1) as load:
        os.kill(archivist, signal.SIGKILL)
        changed = home.json("traffic", "churn", "--record", "meta")
        assert changed["change"] == "records: full → meta"
        load.wait_for(20)
        purged = [load.answers[number][0] for number in (3, 7)]
        asked = [word for one in purged for word in ("--request-id", one)]
        until(lambda: len([r for r in log.records("churn") if r.request_id in purged]) == 4)
        done = home.json("purge", "churn", *asked)
        assert (done["records"], done["ledger_lines"]) == (4, 4)
        load.wait_for(20)
    assert load.failures == []
    until(lambda: archivists(home) not in ([], [archivist]))  # killed, and there again
    until(lambda: not list((folder / "ledger").glob("*.v1.jsonl")))
    wanted = {one for one, _ in load.answers} - set(purged)
    until(lambda: accounted(home) == len(wanted))  # a shadow may be behind
    stable, shadow = (log.records("churn", RecordFilter(role=role)) for role in ("stable", "shadow"))
    assert Counter(r.request_id for r in stable) == dict.fromkeys(wanted, 1)
    assert set(Counter(r.request_id for r in shadow).values()) == {1}
    assert {r.request_id for r in shadow} <= wanted
    assert {r.inputs is None for r in stable} == {True, False}
    assert all(r.rows == 1 for r in stable)
    last = {r.request_id: r for r in stable}[load.answers[-1][0]]
    assert (last.inputs, last.outputs, last.status) == (None, None, 200)
    assert list((folder / "records" / "churn").rglob("*.parquet"))
    compared = home.json("compare", "churn")
    assert compared["pairs"] == len(shadow)
    assert 0 < compared["rows"] < compared["pairs"]
    assert any("without inputs and outputs" in note for note in compared["notes"])
    assert any("4 records" in note for note in compared["notes"])

    home.run("traffic", "churn", "--record", "off")
    for _ in range(3):
        httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).raise_for_status()
    described = home.json("describe", "churn")
    assert (described["record"], described["removed_records"]) == ("off", 4)
    until(lambda: '"off"' in (folder / "ledger" / "shadow.jsonl").read_text())
    assert home.json("compare", "churn")["mirrored"] == compared["mirrored"]
    assert len(log.records("churn", RecordFilter(role="stable"))) == len(stable)
    home.run("rollback", "churn")
    assert home.json("describe", "churn")["record"] == "meta"
